// google.rpc.Status as `grpc-status-details-bin` holds it, by the message of our own that has its numbers.
'use strict';

const path = require('node:path');
const { createRequire } = require('node:module');

// It comes with the loader of .proto files, and is found from there.
const protobuf = createRequire(require.resolve('@grpc/proto-loader'))('protobufjs');

const file = path.join(__dirname, '..', '..', 'proto', 'extra.proto');
const type = new protobuf.Root().loadSync(file, { keepCase: true }).lookupType('trunkline.interop.WireStatus');

module.exports = {
  encode: (status) => Buffer.from(type.encode(type.fromObject(status)).finish()),
  decode: (bytes) => type.toObject(type.decode(bytes), { defaults: true, arrays: true }),
};
