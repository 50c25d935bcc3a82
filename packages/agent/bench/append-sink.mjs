// Stands for auth in bench/spool.mjs: acknowledges what it is sent without looking at it.
import { Server, ServerCredentials } from '@grpc/grpc-js';
import { AuditService } from '@postern/api';

const server = new Server();
const { appendEvents } = AuditService;
server.addService(
  { appendEvents: { ...appendEvents, requestDeserialize: (bytes) => bytes } },
  { appendEvents: (_call, done) => done(null, { stored: 0, duplicates: 0 }) },
);
server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, port) => {
  if (error) throw error;
  process.send(port);
});
process.once('disconnect', () => process.exit());
