// What the official cases leave open, against `trunkline.interop.ExtraService`.
'use strict';

const assert = require('node:assert');
const http2 = require('node:http2');
const { grpc, EXTRA, decodeChunk } = require('./support');
const { finished, unary, failure, reader } = require('./calls');
const wire = require('./wire_status');

// Ten times what anything here takes on a slow machine; what hangs goes past it.
const PROMPTLY_MS = 5000;

// Every code point but those of surrogates, some at a time: their escapes have to fit a header block.
const CODE_POINTS_A_CALL = 256;

const ECHO = '/trunkline.interop.ExtraService/Echo';
const { DEADLINE_EXCEEDED, FAILED_PRECONDITION, NOT_FOUND, OK, RESOURCE_EXHAUSTED } = grpc.status;

const TEXTS = ['first', 'second, with a comma', '~!@#$%^&*()_+|}{":?><'];
const ALL_BYTES = Buffer.from(Array.from({ length: 256 }, (_, byte) => byte));

// Every length of padding, every byte, and two values of one name.
function binaries() {
  const list = new Map();
  for (let length = 0; length < 9; length += 1) list.set(`x-extra-${length}-bin`, [ALL_BYTES.subarray(256 - length)]);
  list.set('x-extra-all-bin', [ALL_BYTES]);
  list.set('x-extra-two-bin', [Buffer.from([0]), Buffer.from([255, 254])]);
  return list;
}

// Values come back as they were: several of a name in order, bytes of any length and value.
async function metadata(world) {
  const sent = new grpc.Metadata();
  for (const text of TEXTS) sent.add('x-extra-text', text);
  for (const [key, values] of binaries()) for (const value of values) sent.add(key, value);
  const { headers, trailers } = await unary(world.extra(), 'Echo', {}, { metadata: sent });
  for (const found of [headers, trailers]) {
    // Node joins the values of one name.
    assert.strictEqual(found.get('x-extra-text').join(', '), TEXTS.join(', '));
    for (const [key, values] of binaries()) assert.deepStrictEqual(found.get(key), values, key);
  }
}

function fail(client, code, message, detail_bytes) {
  return failure(unary(client, 'Fail', { code, message, detail_bytes }), code);
}

// Sends a request without a library in between: header values as they are. Gives headers and trailers.
function raw(world, headers) {
  const scheme = world.isPrivate ? 'https' : 'http';
  const options = world.isPrivate
    ? { ca: require('node:fs').readFileSync(world.given.ca_file), servername: world.given.server_host_override }
    : {};
  return new Promise((resolve, reject) => {
    const session = http2.connect(`${scheme}://${world.address}`, options);
    session.on('error', reject);
    const stream = session.request({
      ':method': 'POST',
      ':path': ECHO,
      te: 'trailers',
      'content-type': 'application/grpc',
      ...headers,
    });
    const seen = {};
    stream.on('response', (found) => (seen.headers = found));
    stream.on('trailers', (found) => (seen.trailers = found));
    stream.on('error', reject);
    stream.on('end', () => {
      session.close();
      resolve(seen);
    });
    stream.resume();
    // A message without a byte.
    stream.end(Buffer.alloc(5));
  });
}

// A request every few milliseconds. Without a pause grpc-js may tell of the write that the end of the stream has
// failed, instead of the status that came with it: with grpcio's server it does nearly every time.
async function earlyAnswer(client, code) {
  // What is written before there is a connection would go out without a pause.
  await new Promise((resolve, reject) => {
    client.waitForReady(Date.now() + PROMPTLY_MS, (error) => (error ? reject(error) : resolve()));
  });
  const request = { code, body: Buffer.alloc(64 * 1024) };
  const begin = performance.now();
  let sending;
  const start = (done) => {
    const call = client.AnswerEarly(done);
    sending = setInterval(() => call.write(request), 5);
    return call;
  };
  const answer = finished(start).finally(() => clearInterval(sending));
  if (code === OK) await answer;
  else assert.strictEqual((await failure(answer, code)).details, 'that is enough');
  assert(performance.now() - begin < PROMPTLY_MS, 'the answer was late');
}

module.exports = {
  trunkline_metadata: metadata,
  // What intermediaries make of several values, padded or not, is taken apart.
  trunkline_joined_metadata: async (world) => {
    const { headers } = await raw(world, {
      'x-extra-joined-bin': 'AA==,//4,,AQID, BAUGBw ',
      'x-extra-padded-bin': ['AA==', 'AAE='],
      'x-extra-unpadded-bin': ['AA', 'AAE'],
    });
    const found = new Map();
    for (const key of Object.keys(headers).filter((key) => key.startsWith(EXTRA))) {
      const values = headers[key].split(',').map((value) => Buffer.from(value.trim(), 'base64').toString('hex'));
      found.set(key, values);
    }
    assert.deepStrictEqual(found.get('x-extra-joined-bin'), ['00', 'fffe', '', '010203', '04050607']);
    assert.deepStrictEqual(found.get('x-extra-padded-bin'), ['00', '0001']);
    assert.deepStrictEqual(found.get('x-extra-unpadded-bin'), ['00', '0001']);
  },
  // Every character there is comes back in the text of a status.
  trunkline_status_messages: async (world) => {
    const client = world.extra();
    for (let start = 0; start < 0x110000; start += CODE_POINTS_A_CALL) {
      if (start >= 0xd800 && start < 0xe000) continue;
      const points = Array.from({ length: CODE_POINTS_A_CALL }, (_, index) => start + index);
      const text = String.fromCodePoint(...points);
      const error = await fail(client, FAILED_PRECONDITION, text, 0);
      assert.strictEqual(error.details, text);
    }
  },
  // Details arrive, and those that are too long take neither the status nor the connection with them.
  trunkline_status_details: async (world) => {
    const client = world.extra();
    const error = await fail(client, NOT_FOUND, 'no such thing', 1000);
    const status = wire.decode(error.metadata.get('grpc-status-details-bin')[0]);
    assert.deepStrictEqual([status.code, status.message, status.details.length], [NOT_FOUND, 'no such thing', 1]);
    assert.strictEqual(status.details[0].type_url, 'type.googleapis.com/trunkline.interop.Chunk');
    assert.deepStrictEqual(decodeChunk(status.details[0].value).body, Buffer.alloc(1000));
    const cut = await fail(client, NOT_FOUND, 'no such thing', 1 << 20);
    assert(cut.details.startsWith('no such thing'), cut.details);
    await fail(client, NOT_FOUND, 'no such thing', 0);
  },
  // An answer to the first of endless requests is seen, whatever it is, and ends the requests.
  trunkline_early_answer: async (world) => {
    await earlyAnswer(world.extra(), RESOURCE_EXHAUSTED);
    await earlyAnswer(world.extra(), OK);
  },
  // Straight-line code works though the server says nothing, not even headers, before its first answer.
  trunkline_first_reply: async (world) => {
    const begin = performance.now();
    const call = world.extra().Converse();
    const next = reader(call);
    for (let number = 0; number < 3; number += 1) {
      call.write({ body: Buffer.from([number]) });
      assert.deepStrictEqual((await next()).body, Buffer.from([number]));
    }
    assert(performance.now() - begin < PROMPTLY_MS, 'the answers were late');
    call.end();
    assert.strictEqual(await next(), null);
  },
  // The server knows how much time is left, in every unit, and both ends keep to it.
  trunkline_deadlines: async (world) => {
    const client = world.extra();
    assert((await unary(client, 'Deadline', {})).response.left_ms < 0, 'there is no deadline');
    for (const seconds of [10, 3600, 100_000, 90_000_000]) {
      const deadline = Date.now() + seconds * 1000;
      const { response } = await unary(client, 'Deadline', {}, { deadline });
      const left = response.left_ms / 1000;
      // Long timeouts are sent in whole minutes and hours.
      assert(left > seconds * 0.98 - PROMPTLY_MS / 1000 && left < seconds * 1.02 + 1, `of ${seconds} s ${left} s`);
    }
    const begin = performance.now();
    await failure(unary(client, 'Deadline', { wait_ms: 60_000 }, { deadline: Date.now() + 200 }), DEADLINE_EXCEEDED);
    assert(performance.now() - begin < PROMPTLY_MS, 'the deadline was late');
  },
  // While a call waits for its answer, the PINGs of both sides are acknowledged.
  trunkline_keepalive: async (world) => {
    const client = world.extra({ 'grpc.keepalive_time_ms': 500, 'grpc.keepalive_timeout_ms': 1000 });
    await unary(client, 'Deadline', { wait_ms: 3500 });
  },
};
