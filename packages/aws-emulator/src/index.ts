// The whole surface: AWS for development and tests. It is never part of a production path.
//   startEmulator(options): Promise<Emulator>    STS, DynamoDB (dynalite) and its Streams, S3, console sign-in; all else verified and logged
// Each request's signature is verified by code of its own, written from the AWS documentation and shared with nothing.
export { type Emulator, startEmulator } from '#emulator.ts';
export type { AccessKey, EmulatedRole, EmulatorOptions, Identity, Mode, RawLogEntry, SeedObject, SeedTable } from '#options.ts';
