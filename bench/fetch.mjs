// Uploads a file many times by Node's own fetch: node fetch.mjs BASE FILE TIMES IN_FLIGHT TOKEN
import { readFile } from 'node:fs/promises';
import { basename } from 'node:path';

const [base, file, times, inFlight, token] = process.argv.slice(2);
let next = 0;

async function upload(user) {
  const form = new FormData();
  form.append('pic_file', new Blob([await readFile(file)], { type: 'image/jpeg' }), basename(file));
  const answer = await fetch(`${base}/users/${user}/picture`, {
    method: 'POST',
    headers: { Authorization: `Bearer ${token}` },
    body: form,
  });
  await answer.arrayBuffer();
  if (answer.status !== 201) throw new Error(`status ${answer.status}`);
}

async function worker() {
  while (next++ < Number(times)) await upload(`user${next}@example.com`);
}

await Promise.all(Array.from({ length: Number(inFlight) }, worker));
