export { openSqliteStore, type SqliteStoreOptions } from '#sqlite/open-sqlite-store.ts';
export * from '#store.ts';
