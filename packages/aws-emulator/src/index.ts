// The whole surface: AWS for development and tests. It is never part of a production path.
//   startEmulator(options): Promise<Emulator>    STS (AssumeRole, GetCallerIdentity), DynamoDB (dynalite) and its Streams
// Each request's signature is verified by code of its own, written from the AWS documentation and shared with nothing.
export { type Emulator, type SeedTable, startEmulator } from '#emulator.ts';
export type { AccessKey, EmulatedRole, EmulatorOptions, Identity, Mode, RawLogEntry } from '#options.ts';
