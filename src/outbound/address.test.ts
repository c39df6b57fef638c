import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { isWithin, rangeOf, type AddressRange } from './address.ts';

const table: Readonly<Record<AddressRange, readonly string[]>> = {
  never: [
    '169.254.169.254',
    '::ffff:169.254.169.254',
    'fe80::1',
    'fe80::1%eth0',
    'febf::1',
    'fd00:ec2::254',
    'fd20:ce::254',
    '64:ff9b::a9fe:a9fe',
    '64:ff9b:1::a9fe:a9fe',
    '2002:a9fe:a9fe::1',
    '::ffff:0:169.254.169.254',
    '100.100.100.200',
    '168.63.129.16',
    '192.0.0.192',
    '224.0.0.1',
    '239.255.255.255',
    '255.255.255.255',
    'ff02::1',
    '',
    'localhost',
    '127.1',
  ],
  local: ['127.0.0.1', '127.255.0.1', '0.0.0.0', '::1', '::', '::ffff:127.0.0.1', '::127.0.0.1', '::ffff:0.0.0.0'],
  private: [
    '10.0.0.1',
    '172.16.0.1',
    '172.31.255.255',
    '192.168.1.1',
    '100.64.0.1',
    '100.127.255.255',
    '192.0.0.8',
    '192.0.2.1',
    '198.18.0.1',
    '198.51.100.7',
    '203.0.113.9',
    '240.0.0.1',
    'fc00::1',
    'fd00:ec2::253',
    'fec0::1',
    '100::1',
    '2001::1',
    '2001:db8::1',
    '2002:5db8:d822::1',
    '3fff::1',
    '5f00::1',
    '::ffff:10.0.0.1',
    '::ffff:93.184.216.34',
    '64:ff9b::5db8:d822',
    '64:ff9b:1::5db8:d822',
  ],
  public: ['93.184.216.34', '172.15.0.1', '172.32.0.1', '100.63.0.1', '100.128.0.1', '2606:2800:220:1::1', '9.9.9.9'],
};

describe('an address', () => {
  for (const [range, addresses] of Object.entries(table)) {
    for (const address of addresses) {
      it(`"${address}" is ${range}`, () => assert.equal(rangeOf(address), range));
    }
  }

  it('is within a range when it reaches no further inside', () => {
    assert.deepEqual(
      ['93.184.216.34', '10.0.0.1', '127.0.0.1', '169.254.169.254'].map((address) => isWithin(address, 'private')),
      [true, true, false, false],
    );
  });
});
