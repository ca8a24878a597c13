import assert from 'node:assert/strict';
import { chmod, copyFile, link, mkdir, rm, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { CNI_BIN } from '../../support/leasehold.ts';
import { asRoot, makeNode, type TestNode } from './support/node.ts';

const LEASEHOLD = '{"cniVersion":"1.0.0","name":"lan","plugins":[{"type":"leasehold"}]}';
const FLANNEL = '{"cniVersion":"1.0.0","name":"cbr0","plugins":[{"type":"flannel"},{"type":"portmap"}]}';

async function conf(node: TestNode, files: Readonly<Record<string, string>>): Promise<void> {
  for (const [name, text] of Object.entries(files)) await writeFile(join(node.places.cniConf, name), text);
}

async function program(path: string, text = '#!/bin/sh\n', mode = 0o755): Promise<void> {
  await writeFile(path, text);
  await chmod(path, mode);
}

async function ids(node: TestNode, prefix: string): Promise<readonly string[]> {
  const { findings } = await node.look();
  return findings.filter(({ id }) => id.startsWith(prefix)).map(({ id, severity }) => `${id} ${severity}`);
}

test('no configuration, or none of a name that is read', asRoot, async (t) => {
  const node = await makeNode(t, 'none');
  await conf(node, { '10-lan.conflist.bak': LEASEHOLD });
  assert.deepEqual(await ids(node, 'cni-conf'), ['cni-conf-none note']);
  await rm(node.places.cniConf, { recursive: true });
  assert.deepEqual(await ids(node, 'cni-conf'), ['cni-conf-none note']);
});

test('several: the first in the order of bytes wins, and that is said', asRoot, async (t) => {
  const node = await makeNode(t, 'several');
  await conf(node, { '10-flannel.conflist': FLANNEL, 'Z-lan.conflist': LEASEHOLD, 'a.conf': '{"type":"x"}' });
  const [finding] = await node.found('cni-conf-shadowed');
  assert.match(finding?.title ?? '', /network of 10-flannel\.conflist, not Leasehold's/);
  assert.deepEqual(
    finding?.evidence.map((line) => line.split(':')[0]),
    ['10-flannel.conflist', 'Z-lan.conflist', 'a.conf'],
  );
  await conf(node, { '00-lan.conflist': LEASEHOLD });
  assert.deepEqual(await ids(node, 'cni-conf'), ['cni-conf-several note']);
});

test('a broken file before the winner stops containerd, one behind it nobody', asRoot, async (t) => {
  const node = await makeNode(t, 'broken');
  const cases = ['{', '[]', '{}', '{"plugins":[]}', '{"name":"x","plugins":"leasehold"}'];
  for (const text of cases) {
    await conf(node, { '05-broken.conflist': text, '10-lan.conflist': LEASEHOLD, '99-old.conflist': text });
    const found = await node.found('cni-conf-broken');
    assert.deepEqual(
      found.map(({ severity }) => severity),
      ['error', 'warning'],
      text,
    );
  }
});

test('a list in a file that ends in .conf, and a folder of the name of a file', asRoot, async (t) => {
  const node = await makeNode(t, 'ending');
  await conf(node, { '10-lan.conf': LEASEHOLD });
  await mkdir(join(node.places.cniConf, '00-folder.conflist'));
  const [finding] = await node.found('cni-conf-broken');
  assert.match(finding?.title ?? '', /10-lan\.conf is a list of plugins, which must be named \.conflist/);
});

test('what the winner has wrong is told as conflist --check tells it', asRoot, async (t) => {
  const node = await makeNode(t, 'contents');
  const macvlan = '{"type":"macvlan","master":"eht0","ipam":{"type":"dhcp"}}';
  await conf(node, { 'lan.conflist': `{"cniVersion":"1.0.0","name":"lan","plugins":[${macvlan}]}` });
  const [master] = await node.found('master-missing');
  assert.equal(master?.evidence[0], `in ${node.places.cniConf}/lan.conflist`);
  assert.equal(master?.remedy[0], 'did you mean "eth0"?');
  assert.equal((await node.found('no-host-access')).length, 1);
});

test('plugins that are missing, not executable, or a link to nothing', asRoot, async (t) => {
  const node = await makeNode(t, 'programs');
  const [first = '', second = ''] = node.places.cniBins;
  await conf(node, {
    'lan.conflist':
      '{"name":"lan","plugins":[{"type":"leasehold"},{"type":"portmap"},{"type":"tuning"},{"type":"sbr"},{"type":"../sbr"},{"type":"loopback"}]}',
  });
  await program(join(second, 'portmap'));
  await program(join(first, 'tuning'), 'x', 0o644);
  await symlink('/nowhere/sbr', join(first, 'sbr'));
  const found = [...(await node.found('cni-plugin-missing')), ...(await node.found('cni-plugin-unusable'))];
  assert.deepEqual(
    found.map(({ title }) => title),
    [
      'the plugin "leasehold", which lan.conflist names, is in no folder of plugins',
      'the plugin "../sbr", which lan.conflist names, is in no folder of plugins',
      'the plugin "loopback", which lan.conflist names, is in no folder of plugins',
      `${first}/tuning, which lan.conflist needs, is not executable`,
      `${first}/sbr, which lan.conflist needs, is a link to nothing`,
    ],
  );
  const remedies = Object.fromEntries(found.map(({ title, remedy }) => [title.split('"')[1], remedy[0]]));
  assert.match(remedies['leasehold'] ?? '', /^leasehold install, which puts the relay there/);
  assert.match(remedies['loopback'] ?? '', /^leasehold install, which puts one there$/);
});

test(
  'many names of one program: links as k3s makes them, or hard links; not the relay',
  asRoot,
  async (t) => {
    const node = await makeNode(t, 'multicall');
    const [k3sBin = ''] = node.places.k3sBins;
    const [bin = ''] = node.places.cniBins;
    await program(join(k3sBin, 'cni'));
    for (const name of ['bridge', 'host-local', 'portmap']) await symlink('cni', join(k3sBin, name));
    await program(join(bin, 'vlan'));
    await link(join(bin, 'vlan'), join(bin, 'vrf'));
    await copyFile(join(CNI_BIN, 'leasehold'), join(bin, 'leasehold'));
    await symlink('leasehold', join(bin, 'dhcp'));
    const found = await node.found('cni-bin-multicall');
    assert.deepEqual(
      found.map(({ evidence }) => evidence),
      [
        ['vlan, vrf', 'they lead to one file with several names'],
        ['bridge, cni, host-local, portmap', `they lead to ${k3sBin}/cni`],
      ],
    );
  },
);

test('a relay of another release', asRoot, async (t) => {
  const node = await makeNode(t, 'relay');
  const [bin = ''] = node.places.cniBins;
  const own = node.places.relay ?? '';
  await copyFile(join(CNI_BIN, 'leasehold'), own);
  await copyFile(own, join(bin, 'leasehold'));
  await program(join(bin, 'macvlan'), 'the Go plugin');
  assert.deepEqual(await node.found('relay-differs'), []);
  await program(join(bin, 'dhcp'), 'This is a CNI plugin of Leasehold, an older one');
  const [finding] = await node.found('relay-differs');
  assert.deepEqual(finding?.evidence, [`${bin}/dhcp differs from ${own}`]);
});
