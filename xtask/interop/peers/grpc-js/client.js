// Runs one case on grpc-js; exit code 0 means that it passed.
//
// `client.js --server_host=H --server_port=P --test_case=NAME [--use_tls=true --ca_file=FILE
// --server_host_override=NAME]`, for the soaks also `--soak_iterations=N` and
// `--soak_per_iteration_max_acceptable_latency_ms=N`.
'use strict';

const fs = require('node:fs');
const { grpc, testing, extra, SIZES, flags } = require('./support');

class World {
  constructor(given) {
    this.given = given;
    this.address = `${given.server_host || '127.0.0.1'}:${given.server_port}`;
    this.isPrivate = given.use_tls === 'true';
    this.iterations = Number(given.soak_iterations || 100);
    this.latency = Number(given.soak_per_iteration_max_acceptable_latency_ms || 1000);
    this.clients = [];
  }

  // A client of the interop service with a connection of its own.
  test(options) {
    return this.connect(testing.TestService, options);
  }

  extra(options) {
    return this.connect(extra.ExtraService, options);
  }

  connect(Service, options = {}) {
    const all = { ...SIZES, 'grpc.use_local_subchannel_pool': 1, ...options };
    let credentials = grpc.credentials.createInsecure();
    if (this.isPrivate) {
      all['grpc.ssl_target_name_override'] = this.given.server_host_override;
      credentials = grpc.credentials.createSsl(fs.readFileSync(this.given.ca_file));
    }
    const client = new Service(this.address, credentials, all);
    this.clients.push(client);
    return client;
  }

  close() {
    for (const client of this.clients) client.close();
  }
}

async function main() {
  const given = flags(process.argv.slice(2));
  const cases = { ...require('./cases'), ...require('./extra_cases') };
  const run = cases[given.test_case];
  if (!run) throw new Error(`no case ${JSON.stringify(given.test_case)}`);
  const world = new World(given);
  await run(world);
  world.close();
  process.exitCode = 0;
}

// What is waited for may never come. Where nothing else is left to do Node ends then, and without a word.
process.exitCode = 1;
process.on('exit', (code) => {
  if (code !== 0) console.error('the case did not pass');
});
main().catch((error) => {
  console.error(error);
  process.exit(1);
});
