// The service's requests pass, and no other.
import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { test } from 'node:test';
import { SignatureError, verify } from 'message-scheduler-client';

const SECRET = 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw';
const OTHER = 'whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD';
const AT = 1_800_000_000;
const now = AT * 1000;
const BODY = '{"order": 4711, "name": "Zoë"}';

function headers(...secrets) {
  const signatures = (secrets.length ? secrets : [SECRET]).map((secret) => {
    const key = Buffer.from(secret.slice(6), 'base64');
    return `v1,${createHmac('sha256', key).update(`id-1.${AT}.${BODY}`).digest('base64')}`;
  });
  return {
    'Webhook-Id': 'id-1',
    'Webhook-Timestamp': String(AT),
    'Webhook-Signature': signatures.join(' '),
    'Scheduler-Attempt': '2',
    'Scheduler-Due-At': '2027-01-15T08:00:00.000Z',
  };
}

test('the example of the Standard Webhooks libraries', async () => {
  const found = {
    'webhook-id': 'msg_p5jXN8AQM9LWM0D4loKWxJek',
    'webhook-timestamp': '1614265330',
    'webhook-signature': 'v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=',
  };
  await verify(found, '{"test": 2432232314}', SECRET, { now: 1_614_265_330_000 });
});

test('a body that was parsed already, and a secret that is not there, are said', async () => {
  for (const body of [JSON.parse(BODY), undefined, null, 1]) {
    await assert.rejects(verify(headers(), body, SECRET, { now }), /as they came, not what was parsed/);
  }
  for (const secret of [undefined, '']) {
    await assert.rejects(verify(headers(), BODY, secret, { now }), /a secret is whsec_ and base64/);
  }
});

test('what it brings', async () => {
  const delivery = await verify(headers(), BODY, SECRET, { now });
  assert.deepEqual([delivery.id, delivery.timestamp, delivery.attempt], ['id-1', AT, 2]);
  assert.equal(delivery.dueAt, '2027-01-15T08:00:00.000Z');
  assert.deepEqual(delivery.json(), { order: 4711, name: 'Zoë' });
});

test('headers and bodies in every form', async () => {
  const bytes = new TextEncoder().encode(BODY);
  for (const body of [BODY, bytes, bytes.buffer, Buffer.from(BODY)]) {
    for (const found of [headers(), new Headers(headers())]) await verify(found, body, SECRET, { now });
  }
});

test('any of several secrets', async () => {
  await verify(headers(), BODY, [OTHER, SECRET], { now });
  await verify(headers(OTHER, SECRET), BODY, SECRET, { now });
});

test('the tolerance', async () => {
  for (const off of [-300, 300]) await verify(headers(), BODY, SECRET, { now: now + off * 1000 });
  for (const off of [-301, 301]) {
    const moved = now + off * 1000;
    await assert.rejects(verify(headers(), BODY, SECRET, { now: moved }), /301 s off; 300 s are tolerated/);
    await verify(headers(), BODY, SECRET, { now: moved, tolerance: 400 });
  }
  await assert.rejects(verify({ ...headers(), 'Webhook-Timestamp': '1000000000' }, BODY, SECRET), SignatureError);
});

test('what is not the service’s', async () => {
  const wrong = [
    [headers(OTHER), BODY],
    [headers(), `${BODY}\n`],
    [headers(), ''],
    [{ ...headers(), 'Webhook-Id': 'id-2' }, BODY],
    [{ ...headers(), 'Webhook-Timestamp': String(AT + 1) }, BODY],
    ...['v1,', 'v2,AAAA', 'AAAA', 'v1,é', 'v1,AAAA'].map((one) => [{ ...headers(), 'Webhook-Signature': one }, BODY]),
  ];
  for (const [found, body] of wrong) {
    await assert.rejects(verify(found, body, SECRET, { now }), /by one of these secrets/);
  }
});

test('what is missing or malformed', async () => {
  for (const name of ['Webhook-Id', 'Webhook-Timestamp', 'Webhook-Signature']) {
    const found = { ...headers(), [name]: undefined };
    await assert.rejects(verify(found, BODY, SECRET, { now }), new RegExp(`${name.toLowerCase()} is missing`));
  }
  await assert.rejects(verify({ ...headers(), 'Webhook-Timestamp': '1e9' }, BODY, SECRET, { now }), /not seconds/);
  for (const secret of ['', 'whsec_', 'whsec_no base64!']) {
    await assert.rejects(verify(headers(), BODY, secret, { now }), /whsec_/);
  }
});
