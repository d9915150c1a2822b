// Read by the compiler only: what the types of the package accept, and what they refuse.
import { ApiError, Client, type Delivery, type Message, verify } from 'message-scheduler-client';

export async function accepted(client: Client): Promise<string> {
  const sent = await client.send({ any: 'JSON' }, { time: new Date(), webhook: { url: 'https://example.com' } });
  await client.send('x', { delay: 5, priority: 'high', retry: { max_attempts: 2 } }, { idempotencyKey: 'key' });
  await client.sendMany([{ message: null, delay: '2m' }]);
  for await (const message of client.messages({ status: 'dead', since: new Date() })) {
    const one: Message = message;
    const state: 'scheduled' | 'processing' | 'delivered' | 'dead' | 'cancelled' = one.status;
    console.log(state);
  }
  const delivery: Delivery = await verify(new Headers(), new Uint8Array(), 'whsec_…');
  const due: number = sent.due_at_ms + delivery.timestamp;
  return String(due);
}

export async function refused(client: Client): Promise<void> {
  // @ts-expect-error no such field
  await client.send('x', { dealy: 5 });
  // @ts-expect-error no such priority
  await client.send('x', { priority: 'urgent' });
  // @ts-expect-error no such status
  client.messages({ status: 'lost' });
  // @ts-expect-error a page is no list
  (await client.messagesPage()).map(String);
  // @ts-expect-error an answer has no such field
  (await client.get('id')).dueAt;
  // @ts-expect-error the status is a number
  new ApiError('404', '', '', [], undefined, 1);
}
