// Calls as promises, and what is expected of them.
'use strict';

const assert = require('node:assert');
const { grpc } = require('./support');

// A call with one response: `{ response, headers, trailers }`, or the error. `start` is given the callback.
function finished(start) {
  return new Promise((resolve, reject) => {
    const seen = {};
    const call = start((error, response) => {
      if (error) reject(error);
      else Object.assign(seen, { response });
    });
    call.on('metadata', (headers) => (seen.headers = headers));
    call.on('status', (status) => {
      seen.trailers = status.metadata;
      if (status.code === grpc.status.OK) resolve(seen);
    });
  });
}

function unary(client, method, request, { metadata = new grpc.Metadata(), ...options } = {}) {
  return finished((done) => client[method](request, metadata, options, done));
}

// All responses of a stream, or the error.
async function collect(call) {
  const responses = [];
  for await (const response of call.iterator({ destroyOnReturn: false })) responses.push(response);
  return responses;
}

// The error that a promise ends with, which has to be of this code.
async function failure(promise, code) {
  let value;
  try {
    value = await promise;
  } catch (error) {
    assert.strictEqual(error.code, code, `expected code ${code}, found ${error}`);
    return error;
  }
  throw new Error(`expected code ${code}, found ${JSON.stringify(value).slice(0, 200)}`);
}

// The next response of a stream as a promise; `null` at its end.
function reader(call) {
  const iterator = call.iterator({ destroyOnReturn: false });
  return async () => {
    const { value, done } = await iterator.next();
    return done ? null : value;
  };
}

module.exports = { finished, unary, collect, failure, reader };
