// SPDX-License-Identifier: Apache-2.0
// A KIS client on npm `ws`, sending the compact string of KIS's portal. Arguments and output as client_websockets.py.
import WebSocket from 'ws';

const [url, seconds, mode, ...registrations] = process.argv.slice(2);
const base = 'http://' + url.split('://')[1].split('/')[0];
const answer = await fetch(base + '/oauth2/Approval', {
    method: 'POST',
    headers: {'content-type': 'application/json; utf-8'},
    body: JSON.stringify({grant_type: 'client_credentials', appkey: 'a'.repeat(36), secretkey: 's'.repeat(180)}),
});
const {approval_key} = await answer.json();
const ws = new WebSocket(url); // offers permessage-deflate, which must be declined
ws.on('open', () => {
    for (const registration of registrations) {
        const [tr_id, tr_key] = registration.split(':');
        ws.send(JSON.stringify({header: {approval_key, custtype: 'P', tr_type: '1', 'content-type': 'utf-8'},
                                body: {input: {tr_id, tr_key}}}));
    }
    const pings = mode === 'ping' ? setInterval(() => ws.ping(), 2000) : undefined;
    setTimeout(() => {
        clearInterval(pings);
        ws.close();
        setTimeout(() => ws.terminate(), 300); // the process ends by itself once all is printed
    }, Number(seconds) * 1000);
});
ws.on('message', (data) => {
    const text = data.toString();
    console.log(text[0] === '0' || text[0] === '1' ? 'D' : 'C', text);
    if (text.includes('"PINGPONG"') && mode !== 'ping') mode === 'pong' ? ws.pong(text) : ws.send(text);
});
ws.on('pong', () => console.log('C PONG'));
ws.on('close', (code, reason) => console.log('X', code, reason.toString()));
ws.on('error', (error) => { console.log('X', error.message); process.exit(1); });
