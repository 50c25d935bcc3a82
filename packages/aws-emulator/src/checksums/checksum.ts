import { createHash } from 'node:crypto';
import { crc32 } from 'node:zlib';

import { Crc32c, Crc64Nvme, type RunningChecksum } from '#checksums/crc-tables.ts';

/** The checksums of S3 that are emulated, by the end of their header's name. Source: S3 user guide, "Checking object integrity". */
export const checksumNames = ['crc32', 'crc32c', 'crc64nvme', 'sha1', 'sha256'] as const;
export type ChecksumName = (typeof checksumNames)[number];

export function isChecksumName(name: string): name is ChecksumName {
  return (checksumNames as readonly string[]).includes(name);
}

export function startChecksum(name: ChecksumName): RunningChecksum {
  switch (name) {
    case 'crc32':
      return runningCrc32();
    case 'crc32c':
      return new Crc32c();
    case 'crc64nvme':
      return new Crc64Nvme();
    case 'sha1':
    case 'sha256':
      return createHash(name);
  }
}

function runningCrc32(): RunningChecksum {
  let value = 0;
  return {
    update: (data) => void (value = crc32(data, value)),
    digest: () => {
      const bytes = Buffer.alloc(4);
      bytes.writeUInt32BE(value);
      return bytes;
    },
  };
}
