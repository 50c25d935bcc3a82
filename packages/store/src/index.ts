// openSqliteStore({ path, nowMs }) and openRedisStore({ url, clusterId, nowMs }) answer a Store; see store.ts.
export * from '#store.ts';
