// `server.js --port=P [--use_tls=true --tls_cert_file=FILE --tls_key_file=FILE]`: the interop service and our extra
// one on grpc-js. It cannot compress its answers.
'use strict';

const fs = require('node:fs');
const {
  grpc, testing, extra, SIZES, ECHO_INITIAL, ECHO_TRAILING, EXTRA, flags, payload, sleep, encodeChunk,
} = require('./support');
const wire = require('./wire_status');

// Headers and trailers as the descriptions of the cases ask for; gives the trailers.
function echo(call) {
  const [initial] = call.metadata.get(ECHO_INITIAL);
  if (initial !== undefined) {
    const headers = new grpc.Metadata();
    headers.set(ECHO_INITIAL, initial);
    call.sendMetadata(headers);
  }
  const trailers = new grpc.Metadata();
  const [trailing] = call.metadata.get(ECHO_TRAILING);
  if (trailing !== undefined) trailers.set(ECHO_TRAILING, trailing);
  return trailers;
}

// The error that the client asked for, if it did.
function asked(request) {
  const status = request.response_status;
  return status && status.code ? { code: status.code, details: status.message } : null;
}

// All requests of a stream; at their end its other half is still open.
function requests(call) {
  return call.iterator({ destroyOnReturn: false });
}

async function respond(call, parameters) {
  for (const wanted of parameters) {
    if (wanted.interval_us > 0) await sleep(wanted.interval_us / 1e3);
    if (!call.write({ payload: payload(wanted.size) })) {
      await new Promise((resolve) => call.once('drain', resolve));
    }
  }
}

const testService = {
  EmptyCall: (call, done) => done(null, {}),
  UnaryCall: (call, done) => {
    const trailers = echo(call);
    const error = asked(call.request);
    if (error) return done(error, null, trailers);
    const server_id = call.request.fill_server_id ? `grpc-js-${process.pid}` : '';
    return done(null, { payload: payload(call.request.response_size), server_id }, trailers);
  },
  StreamingOutputCall: async (call) => {
    await respond(call, call.request.response_parameters);
    call.end();
  },
  StreamingInputCall: (call, done) => {
    let sum = 0;
    call.on('data', (request) => (sum += request.payload ? request.payload.body.length : 0));
    call.on('end', () => done(null, { aggregated_payload_size: sum }));
  },
  FullDuplexCall: async (call) => {
    const trailers = echo(call);
    for await (const request of requests(call)) {
      const error = asked(request);
      if (error) return call.emit('error', error);
      await respond(call, request.response_parameters);
    }
    return call.end(trailers);
  },
  HalfDuplexCall: async (call) => {
    const all = [];
    for await (const request of requests(call)) all.push(...request.response_parameters);
    await respond(call, all);
    call.end();
  },
};

const extraService = {
  Fail: (call, done) => {
    const { code, message, detail_bytes } = call.request;
    const metadata = new grpc.Metadata();
    if (detail_bytes > 0) {
      const value = encodeChunk({ body: Buffer.alloc(detail_bytes) });
      const details = [{ type_url: 'type.googleapis.com/trunkline.interop.Chunk', value }];
      metadata.set('grpc-status-details-bin', wire.encode({ code, message, details }));
    }
    done({ code, details: message, metadata });
  },
  Echo: (call, done) => {
    const back = new grpc.Metadata();
    for (const key of Object.keys(call.metadata.getMap()).filter((key) => key.startsWith(EXTRA))) {
      for (const value of call.metadata.get(key)) back.add(key, value);
    }
    call.sendMetadata(back);
    done(null, {}, back);
  },
  Deadline: async (call, done) => {
    const left = new Date(call.getDeadline()).getTime() - Date.now();
    await sleep(call.request.wait_ms);
    done(null, { left_ms: Number.isFinite(left) ? Math.floor(left) : -1 });
  },
  AnswerEarly: (call, done) => {
    call.once('data', ({ code }) => {
      call.on('data', () => {});
      if (code) done({ code, details: 'that is enough' });
      else done(null, {});
    });
  },
  Converse: async (call) => {
    for await (const chunk of requests(call)) call.write(chunk);
    call.end();
  },
};

function credentials(given) {
  if (given.use_tls !== 'true') return grpc.ServerCredentials.createInsecure();
  const pair = { cert_chain: fs.readFileSync(given.tls_cert_file), private_key: fs.readFileSync(given.tls_key_file) };
  return grpc.ServerCredentials.createSsl(null, [pair], false);
}

const given = flags(process.argv.slice(2));
const server = new grpc.Server(SIZES);
server.addService(testing.TestService.service, testService);
server.addService(extra.ExtraService.service, extraService);
server.bindAsync(`127.0.0.1:${given.port}`, credentials(given), (error) => {
  if (error) throw error;
});
