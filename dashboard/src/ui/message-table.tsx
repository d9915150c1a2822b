import type { ReactNode } from 'react';
import { destination, excerpt } from '../lib/describe';
import { messageHref } from '../lib/route';
import { formatNear } from '../lib/time';
import { useService } from '../state/service';
import type { Message } from '../lib/types';
import { StatusLabel } from './marks';
import { Countdown } from './moment';

export function MessageTable({ messages }: { messages: Message[] }): ReactNode {
  if (messages.length === 0) return null;
  return (
    <table className="messages">
      <thead>
        <tr>
          <th scope="col">Status</th>
          <th scope="col">Due</th>
          <th scope="col">Message</th>
          <th scope="col" className="wide-only">
            Goes to
          </th>
          <th scope="col" className="wide-only">
            Priority
          </th>
          <th scope="col" className="number wide-only">
            Attempt
          </th>
        </tr>
      </thead>
      <tbody>
        {messages.map((message) => (
          <Row key={message.id} message={message} />
        ))}
      </tbody>
    </table>
  );
}

function Row({ message }: { message: Message }): ReactNode {
  const { now } = useService();
  const where = destination(message);
  return (
    <tr>
      <td>
        <StatusLabel status={message.status} />
      </td>
      <td className="due">
        <span className="figures">{formatNear(message.due_at_ms, now())}</span>
        {message.status === 'scheduled' && (
          <span className="quiet">
            <Countdown at={message.due_at_ms} />
          </span>
        )}
      </td>
      <th scope="row" className="what">
        <a href={messageHref(message.id)} className="id">
          {message.id}
        </a>
        <span className="excerpt">{excerpt(message)}</span>
        {message.last_error && message.status !== 'delivered' && (
          <span className="excerpt tone-bad">{message.last_error}</span>
        )}
      </th>
      <td className="wide-only">
        {message.channel}
        {where && <span className="quiet goes-to">{where}</span>}
      </td>
      <td className="wide-only">{message.priority}</td>
      <td className="number figures wide-only">
        {message.attempt}
        {message.max_attempts != null && message.max_attempts > 0 && (
          <span className="quiet"> / {message.max_attempts}</span>
        )}
      </td>
    </tr>
  );
}
