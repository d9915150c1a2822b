// The server's half of a WebSocket, as much of it as a mock needs: handshake, text frames out, close.
import { createHash } from 'node:crypto';

const MAGIC = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11';

export function accept(request, socket) {
  const key = createHash('sha1')
    .update(request.headers['sec-websocket-key'] + MAGIC)
    .digest('base64');
  const offered = (request.headers['sec-websocket-protocol'] ?? '').split(',').map((name) => name.trim());
  const protocol = offered.includes('events.v1') ? 'Sec-WebSocket-Protocol: events.v1\r\n' : '';
  socket.write(
    `HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${key}\r\n${protocol}\r\n`,
  );
  return {
    send: (value) => socket.writable && socket.write(frame(0x81, Buffer.from(JSON.stringify(value)))),
    close: () => socket.end(frame(0x88, Buffer.from([0x03, 0xe8]))),
    onClose: (callback) => socket.on('close', callback).on('error', callback),
  };
}

function frame(opcode, payload) {
  const { length } = payload;
  if (length < 126) return Buffer.concat([Buffer.from([opcode, length]), payload]);
  if (length < 65536) {
    const head = Buffer.from([opcode, 126, 0, 0]);
    head.writeUInt16BE(length, 2);
    return Buffer.concat([head, payload]);
  }
  const head = Buffer.alloc(10);
  head[0] = opcode;
  head[1] = 127;
  head.writeBigUInt64BE(BigInt(length), 2);
  return Buffer.concat([head, payload]);
}
