// The cases of the interop test descriptions, as far as grpc-js can say them.
'use strict';

const assert = require('node:assert');
const { grpc, testing, ECHO_INITIAL, ECHO_TRAILING, payload } = require('./support');
const { finished, unary, collect, failure, reader } = require('./calls');

const { CANCELLED, DEADLINE_EXCEEDED, INVALID_ARGUMENT, UNIMPLEMENTED, UNKNOWN } = grpc.status;
const REQUEST_SIZES = [27182, 8, 1828, 45904];
const RESPONSE_SIZES = [31415, 9, 2653, 58979];
const LARGE_REQUEST = 271828;
const LARGE_RESPONSE = 314159;
const VERY_LARGE = 100 * 1024 * 1024;
const INITIAL_VALUE = 'test_initial_metadata_value';
const TRAILING_VALUE = Buffer.from([0xab, 0xab, 0xab]);
const STATUS_TEXT = 'test status message';
const SPECIAL_TEXT = '\t\ntest with whitespace\r\nand Unicode BMP \u263a and non-BMP \u{1f608}\t\n';
const GZIP = { 'grpc.default_compression_algorithm': grpc.compressionAlgorithms.gzip };

const large = (more) => ({ response_size: LARGE_RESPONSE, payload: payload(LARGE_REQUEST), ...more });
const ask = (request, response) => ({ response_parameters: [{ size: response }], payload: payload(request) });
const size = (response) => response.payload.body.length;

async function largeUnary(client, request = large()) {
  const { response } = await unary(client, 'UnaryCall', request);
  assert.strictEqual(size(response), LARGE_RESPONSE);
}

function upload(client, requests) {
  return finished((done) => {
    const call = client.StreamingInputCall(done);
    for (const request of requests) call.write(request);
    call.end();
    return call;
  });
}

async function unimplemented(world, service, path) {
  const client = world.test();
  const bytes = Buffer.alloc(0);
  const call = (done) => client.makeUnaryRequest(path, () => bytes, () => ({}), {}, done);
  await failure(finished(call), UNIMPLEMENTED);
}

// A client of grpc-js compresses all its messages or none.
async function compressedUnary(world) {
  await largeUnary(world.test(GZIP), large({ expect_compressed: { value: true } }));
  await largeUnary(world.test(), large({ expect_compressed: { value: false } }));
}

async function soak(world, next) {
  for (let iteration = 0; iteration < world.iterations; iteration += 1) {
    const [client, done] = next();
    const begin = performance.now();
    await largeUnary(client);
    const took = performance.now() - begin;
    assert(took <= world.latency, `iteration ${iteration} took ${took} ms`);
    done();
  }
}

module.exports = {
  empty_unary: (world) => unary(world.test(), 'EmptyCall', {}),
  large_unary: (world) => largeUnary(world.test()),
  client_streaming: async (world) => {
    const { response } = await upload(world.test(), REQUEST_SIZES.map((bytes) => ({ payload: payload(bytes) })));
    assert.strictEqual(response.aggregated_payload_size, 74922);
  },
  server_streaming: async (world) => {
    const request = { response_parameters: RESPONSE_SIZES.map((bytes) => ({ size: bytes })) };
    const responses = await collect(world.test().StreamingOutputCall(request));
    assert.deepStrictEqual(responses.map(size), RESPONSE_SIZES);
  },
  ping_pong: async (world) => {
    const call = world.test().FullDuplexCall();
    const next = reader(call);
    for (const [index, bytes] of REQUEST_SIZES.entries()) {
      call.write(ask(bytes, RESPONSE_SIZES[index]));
      assert.strictEqual(size(await next()), RESPONSE_SIZES[index]);
    }
    call.end();
    assert.strictEqual(await next(), null);
  },
  empty_stream: async (world) => {
    const call = world.test().FullDuplexCall();
    call.end();
    assert.deepStrictEqual(await collect(call), []);
  },
  trunkline_half_duplex: async (world) => {
    const call = world.test().HalfDuplexCall();
    for (const [index, bytes] of REQUEST_SIZES.entries()) call.write(ask(bytes, RESPONSE_SIZES[index]));
    call.end();
    assert.deepStrictEqual((await collect(call)).map(size), RESPONSE_SIZES);
  },
  cancel_after_begin: async (world) => {
    const start = (done) => {
      const call = world.test().StreamingInputCall(done);
      setImmediate(() => call.cancel());
      return call;
    };
    await failure(finished(start), CANCELLED);
  },
  cancel_after_first_response: async (world) => {
    const call = world.test().FullDuplexCall();
    const next = reader(call);
    call.write(ask(27182, 31415));
    assert.strictEqual(size(await next()), 31415);
    call.cancel();
    await failure(next(), CANCELLED);
  },
  timeout_on_sleeping_server: async (world) => {
    const call = world.test().FullDuplexCall({ deadline: Date.now() + 1 });
    call.write({ payload: payload(27182) });
    await failure(collect(call), DEADLINE_EXCEEDED);
  },
  status_code_and_message: async (world) => {
    const response_status = { code: UNKNOWN, message: STATUS_TEXT };
    const error = await failure(unary(world.test(), 'UnaryCall', { response_status }), UNKNOWN);
    assert.strictEqual(error.details, STATUS_TEXT);
    const call = world.test().FullDuplexCall();
    call.write({ response_status });
    call.end();
    assert.strictEqual((await failure(collect(call), UNKNOWN)).details, STATUS_TEXT);
  },
  special_status_message: async (world) => {
    const response_status = { code: UNKNOWN, message: SPECIAL_TEXT };
    const error = await failure(unary(world.test(), 'UnaryCall', { response_status }), UNKNOWN);
    assert.strictEqual(error.details, SPECIAL_TEXT);
  },
  custom_metadata: async (world) => {
    const metadata = new grpc.Metadata();
    metadata.set(ECHO_INITIAL, INITIAL_VALUE);
    metadata.set(ECHO_TRAILING, TRAILING_VALUE);
    const check = (headers, trailers) => {
      assert.deepStrictEqual(headers.get(ECHO_INITIAL), [INITIAL_VALUE]);
      assert.deepStrictEqual(trailers.get(ECHO_TRAILING), [TRAILING_VALUE]);
    };
    const { response, headers, trailers } = await unary(world.test(), 'UnaryCall', large(), { metadata });
    assert.strictEqual(size(response), LARGE_RESPONSE);
    check(headers, trailers);
    const call = world.test().FullDuplexCall(metadata);
    const initial = new Promise((resolve) => call.once('metadata', resolve));
    const status = new Promise((resolve) => call.once('status', resolve));
    call.write(ask(LARGE_REQUEST, LARGE_RESPONSE));
    call.end();
    assert.deepStrictEqual((await collect(call)).map(size), [LARGE_RESPONSE]);
    check(await initial, (await status).metadata);
  },
  unimplemented_method: (world) => unimplemented(world, testing, '/grpc.testing.TestService/UnimplementedCall'),
  unimplemented_service: (world) => unimplemented(world, testing, '/grpc.testing.UnimplementedService/UnimplementedCall'),
  client_compressed_unary: async (world) => {
    const probe = { expect_compressed: { value: true }, payload: payload(LARGE_REQUEST) };
    await failure(unary(world.test(), 'UnaryCall', probe), INVALID_ARGUMENT);
    await compressedUnary(world);
  },
  client_compressed_unary_noprobe: compressedUnary,
  client_compressed_streaming: async (world) => {
    const request = { expect_compressed: { value: true }, payload: payload(27182) };
    await failure(upload(world.test(), [request]), INVALID_ARGUMENT);
    const { response } = await upload(world.test(GZIP), [request, request]);
    assert.strictEqual(response.aggregated_payload_size, 2 * 27182);
  },
  server_compressed_unary: async (world) => {
    const client = world.test();
    await largeUnary(client, large({ response_compressed: { value: true } }));
    await largeUnary(client, large({ response_compressed: { value: false } }));
  },
  server_compressed_streaming: async (world) => {
    const response_parameters = [
      { size: 31415, compressed: { value: true } },
      { size: 92653, compressed: { value: false } },
    ];
    const responses = await collect(world.test().StreamingOutputCall({ response_parameters }));
    assert.deepStrictEqual(responses.map(size), [31415, 92653]);
  },
  very_large_request: (world) => largeUnary(world.test(), large({ payload: payload(VERY_LARGE) })),
  pick_first_unary: async (world) => {
    const client = world.test();
    const servers = new Set();
    for (let call = 0; call < 100; call += 1) {
      servers.add((await unary(client, 'UnaryCall', { fill_server_id: true })).response.server_id);
    }
    assert.strictEqual(servers.size, 1);
    assert(!servers.has(''), 'a server without a name');
  },
  rpc_soak: (world) => {
    const client = world.test();
    return soak(world, () => [client, () => {}]);
  },
  channel_soak: (world) =>
    soak(world, () => {
      const client = world.test();
      return [client, () => client.close()];
    }),
};
