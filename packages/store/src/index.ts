export { openRedisStore, type RedisStoreOptions } from '#redis/open-redis-store.ts';
export { openSqliteStore, type SqliteStoreOptions } from '#sqlite/open-sqlite-store.ts';
export * from '#store.ts';
