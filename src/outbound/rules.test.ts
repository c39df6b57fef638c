import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { createOutbound, createReceiverOutbound } from './index.ts';

const config = {
  trustedComponentHosts: ['tern.test:9000', '127.0.0.1:9001', '[::1]:9002', 'secure.test:443'],
  componentHosts: ['hooks.tern.example', '*.gull.example'],
  anyPublicHost: 'refuse',
} as const;
const outbound = createOutbound({ config, ownOrigins: () => ['http://127.0.0.1:8080', 'http://localhost:8080'] });
const open = createOutbound({ config: { ...config, anyPublicHost: 'allow' } });

const refused = (text: string): void =>
  assert.throws(() => outbound.checkUrl(text), { kind: 'bad_request' }, JSON.stringify(text));

describe('a URL that is saved', () => {
  it('is normalised, and need not be on the allow-list', () => {
    assert.equal(outbound.checkUrl('HTTPS://Any.Example:443/a/../b?q=1'), 'https://any.example/b?q=1');
    assert.equal(outbound.checkUrl('https://93.184.216.34:8443/'), 'https://93.184.216.34:8443/');
  });

  it('must be https', () => {
    for (const text of ['http://any.example/', 'ftp://any.example/', 'file:///etc/passwd', '//any.example', 'x', '']) {
      refused(text);
    }
  });

  it('has no user, no password, no fragment, no control characters, and at most 2048 characters', () => {
    for (const text of [
      'https://user@any.example/',
      'https://user:word@any.example/',
      'https://any.example@127.0.0.1/',
      'https://any.example/#part',
      'https://any.example/#',
      'https://any.example/\r\nx-injected: 1',
      'https://any\t.example/',
      `https://any.example/${'x'.repeat(2048)}`,
      // Long as written, short as sent; and the other way round.
      `https://any.example/${'a/../'.repeat(500)}`,
      `https://any.example/${'ü'.repeat(1000)}`,
    ]) {
      refused(text);
    }
    assert.equal(outbound.checkUrl(`https://any.example/${'x'.repeat(2028)}`).length, 2048);
  });

  it('must not name this machine or a network that is not public, in any notation', () => {
    for (const host of [
      'localhost',
      'LOCALHOST',
      'ｌｏｃａｌｈｏｓｔ',
      'localhost.',
      'a.b.localhost',
      '127.0.0.1',
      '127.0.0.1.',
      '127.1',
      '0x7f000001',
      '2130706433',
      '0177.0.0.1',
      '%31%32%37.0.0.1',
      '①②⑦.0.0.1',
      '0',
      '10.1.2.3',
      '192.168.0.1',
      '169.254.169.254',
      '100.64.0.1',
      '192.0.2.1',
      '[::1]',
      '[::]',
      '[::ffff:10.0.0.1]',
      '[::ffff:0a00:1]',
      '[0:0:0:0:0:ffff:7f00:1]',
      '[fd00:ec2::254]',
      '[64:ff9b::7f00:1]',
      '[2001:db8::1]',
      '[fe80::1]',
      '[ff02::1]',
    ]) {
      refused(`https://${host}/`);
    }
  });

  it('may be our own origin where that is said, by plain http too; no other port of this machine', () => {
    const mayBeOwn = { mayBeOwn: true };
    assert.equal(outbound.checkUrl('http://127.0.0.1:8080/run', mayBeOwn), 'http://127.0.0.1:8080/run');
    assert.equal(outbound.checkUrl('http://localhost:8080/run', mayBeOwn), 'http://localhost:8080/run');
    assert.throws(() => outbound.checkUrl('http://127.0.0.1:8081/run', mayBeOwn), /only https/);
    assert.throws(() => outbound.checkUrl('http://localhost:8080/run'), /localhost:8080 is this server/);
    assert.throws(() => outbound.trustOf('http://localhost:8080/run'), /localhost:8080 is this server/);
    refused('https://127.0.0.1:8080/run');
  });

  it('may be a trusted place by plain http, only spelt as it is listed', () => {
    assert.equal(outbound.checkUrl('http://TERN.test:9000/x'), 'http://tern.test:9000/x');
    assert.equal(outbound.checkUrl('http://127.0.0.1:9001/x'), 'http://127.0.0.1:9001/x');
    assert.equal(outbound.checkUrl('http://[::1]:9002/x'), 'http://[::1]:9002/x');
    for (const text of [
      'http://tern.test:9001/',
      'http://tern.test/',
      'http://tern.test.:9000/',
      'http://127.1:9001/',
      'http://0x7f.0.0.1:9001/',
      'http://[0::1]:9002/',
      'http://127.0.0.1:9000/',
    ]) {
      refused(text);
    }
  });
});

describe('a URL that is called', () => {
  const why = (url: string, rules = outbound): string => {
    try {
      return rules.trustOf(url);
    } catch (thrown) {
      assert.equal((thrown as { kind: string }).kind, 'configuration_invalid');
      return (thrown as Error).message;
    }
  };

  it('is trusted when its host and port are listed so, with its scheme as it is', () => {
    assert.equal(why('http://tern.test:9000/x'), 'trusted');
    assert.equal(why('https://secure.test/x'), 'trusted');
    assert.match(why('http://secure.test/x'), /only https/);
  });

  it('is allowed when its host is listed, exactly or below a suffix', () => {
    assert.equal(why('https://hooks.tern.example/refresh'), 'allowed');
    assert.equal(why('https://a.b.gull.example/'), 'allowed');
    for (const host of ['tern.example', 'x.hooks.tern.example', 'gull.example', 'evilgull.example', 'any.example']) {
      assert.equal(why(`https://${host}/`), `Host ${host} is not on the allow-list`);
    }
  });

  it('may be any public host when the operator says so, and nothing but public', () => {
    assert.equal(why('https://any.example/', open), 'allowed');
    assert.equal(why('https://93.184.216.34/', open), 'allowed');
    for (const host of ['10.0.0.1', '127.0.0.1', 'localhost', '[::1]', '169.254.169.254']) {
      assert.match(why(`https://${host}/`, open), /no public address/);
    }
    assert.match(why('http://any.example/', open), /only https/);
  });

  it('has port 443 unless it is trusted', () => {
    assert.match(why('https://hooks.tern.example:8443/'), /only 443/);
    assert.match(why('https://any.example:22/', open), /only 443/);
  });

  it('is checked again in full: what is stored may have been saved under other rules', () => {
    assert.match(why('https://user@hooks.tern.example/'), /user name/);
    assert.match(why('nonsense'), /no URL/);
  });
});

describe('a receiver', () => {
  it('may be any http or https URL', () => {
    const receivers = createReceiverOutbound({ allowsLocal: false });
    assert.equal(receivers.checkUrl('http://any.example:81/hook'), 'http://any.example:81/hook');
    assert.equal(receivers.checkUrl('https://user:word@any.example/'), 'https://user:word@any.example/');
    assert.throws(() => receivers.checkUrl('ftp://any.example/'), { kind: 'bad_request' });
  });
});
