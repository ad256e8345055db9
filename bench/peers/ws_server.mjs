// SPDX-License-Identifier: Apache-2.0
// npm `ws` as a fan-out server: messages come on stdin, each a line; the port is the first line on stdout.
import {createRequire} from 'node:module';
import {createInterface} from 'node:readline';
const require = createRequire(new URL('../../tests/integration/', import.meta.url));
const {WebSocketServer} = require('ws');
const server = new WebSocketServer({host: '127.0.0.1', port: 0, perMessageDeflate: false, backlog: 4096});
server.on('listening', () => console.log(server.address().port));
createInterface({input: process.stdin}).on('line', (line) => {
    const message = Buffer.from(line);
    for (const client of server.clients) client.send(message, {binary: false});
}).on('close', () => process.exit(0));
