// What the programs beside this file share: the packages, the services from our .proto files, and small helpers.
//
// The packages are in the folder of the peers cache that NODE_PATH names: nothing is installed into the tree.
'use strict';

const path = require('node:path');
const grpc = require('@grpc/grpc-js');
const loader = require('@grpc/proto-loader');

const PROTO = path.join(__dirname, '..', '..', 'proto');
const OPTIONS = { keepCase: true, longs: Number, defaults: true, oneofs: true, includeDirs: [PROTO] };

const { testing } = load('testing.proto').grpc;
const { interop: extra } = load('extra.proto').trunkline;

// The service is asked for messages of any size.
const SIZES = { 'grpc.max_receive_message_length': -1, 'grpc.max_send_message_length': -1 };

const ECHO_INITIAL = 'x-grpc-test-echo-initial';
const ECHO_TRAILING = 'x-grpc-test-echo-trailing-bin';

// `ExtraService.Echo` sends back what is named so.
const EXTRA = 'x-extra-';

function load(file) {
  return grpc.loadPackageDefinition(loader.loadSync(file, OPTIONS));
}

// `--name=value` words as an object.
function flags(words) {
  const pairs = words.map((word) => {
    const found = /^--([^=]+)=(.*)$/s.exec(word);
    if (!found) throw new Error(`expected --name=value, found ${JSON.stringify(word)}`);
    return found.slice(1);
  });
  return Object.fromEntries(pairs);
}

// This many zeros.
function payload(size) {
  return { body: Buffer.alloc(size) };
}

const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

// A message of ours that may be in the details of a status.
const encodeChunk = extra.ExtraService.service.Converse.requestSerialize;
const decodeChunk = extra.ExtraService.service.Converse.requestDeserialize;

module.exports = {
  grpc, testing, extra, SIZES, ECHO_INITIAL, ECHO_TRAILING, EXTRA, flags, payload, sleep, encodeChunk, decodeChunk,
};
