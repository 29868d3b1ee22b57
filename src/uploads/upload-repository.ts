import type { Database } from '../storage/database.ts';
import type { UploadRecord } from './upload-store.ts';

interface UploadRow {
  readonly id: string;
  readonly tenant_id: string;
  readonly filename: string;
  readonly content_type: string;
  /** bigint arrives as text. */
  readonly size_bytes: string;
  readonly sha256: string | null;
  readonly status: UploadRecord['status'];
  readonly stored_sha256: string | null;
  readonly idempotency_key: string | null;
  readonly created_at: Date;
  readonly expires_at: Date;
  readonly receiving_since: Date | null;
  readonly stored_at: Date | null;
}

/** The table of uploads. */
export class UploadRepository {
  readonly #database: Database;

  constructor(database: Database) {
    this.#database = database;
  }

  /** @returns the earlier upload instead when the tenant has used this idempotency key. */
  async insert(upload: UploadRecord): Promise<UploadRecord> {
    const inserted = await this.#changed(
      `insert into uploads (id, tenant_id, filename, content_type, size_bytes, sha256, status, idempotency_key,
         created_at, expires_at)
       values ($1, $2, $3, $4, $5, $6, 'PENDING', $7, $8, $9)
       on conflict (tenant_id, idempotency_key) do nothing`,
      [
        upload.id,
        upload.tenantId,
        upload.filename,
        upload.contentType,
        upload.sizeBytes,
        upload.sha256,
        upload.idempotencyKey,
        upload.createdAt,
        upload.expiresAt,
      ],
    );
    if (inserted[0] !== undefined) return toRecord(inserted[0]);
    const earlier = await this.#rows('select * from uploads where tenant_id = $1 and idempotency_key = $2', [
      upload.tenantId,
      upload.idempotencyKey,
    ]);
    // The earlier one may have been deleted in between; then the key is free again.
    return earlier[0] === undefined ? this.insert(upload) : toRecord(earlier[0]);
  }

  async find(tenantId: string, id: string): Promise<UploadRecord | null> {
    return (await this.findAll(tenantId, [id]))[0] ?? null;
  }

  /** Those uploads of the tenant that exist, in any order. */
  async findAll(tenantId: string, ids: readonly string[]): Promise<readonly UploadRecord[]> {
    const rows = await this.#rows('select * from uploads where id = any($1) and tenant_id = $2', [
      ids,
      tenantId,
    ]);
    return rows.map(toRecord);
  }

  /** To RECEIVING from PENDING, or from a RECEIVING not touched since `staleBefore`; false where neither. */
  async beginReceiving(id: string, now: Date, staleBefore: Date): Promise<boolean> {
    const rows = await this.#changed(
      `update uploads set status = 'RECEIVING', receiving_since = $2
       where id = $1 and (status = 'PENDING' or status = 'RECEIVING' and receiving_since < $3)`,
      [id, now, staleBefore],
    );
    return rows.length === 1;
  }

  async touchReceiving(id: string, now: Date): Promise<void> {
    await this.#changed(`update uploads set receiving_since = $2 where id = $1 and status = 'RECEIVING'`, [
      id,
      now,
    ]);
  }

  /** To STORED from RECEIVING. */
  async finish(
    id: string,
    { sha256, at, expiresAt }: { readonly sha256: string; readonly at: Date; readonly expiresAt: Date },
  ): Promise<void> {
    const rows = await this.#changed(
      `update uploads
       set status = 'STORED', stored_sha256 = $2, stored_at = $3, expires_at = greatest(expires_at, $4),
         receiving_since = null
       where id = $1 and status = 'RECEIVING'`,
      [id, sha256, at, expiresAt],
    );
    if (rows.length !== 1) throw new Error(`upload ${id} was deleted while its file was received`);
  }

  /** Back to PENDING from RECEIVING, so that it can be sent again. */
  async abandon(id: string): Promise<void> {
    await this.#changed(
      `update uploads set status = 'PENDING', receiving_since = null where id = $1 and status = 'RECEIVING'`,
      [id],
    );
  }

  /** Extends a STORED upload of the tenant that has not expired; false where there is none. */
  async keepUntil(tenantId: string, id: string, until: Date, now: Date): Promise<boolean> {
    const rows = await this.#changed(
      `update uploads set expires_at = greatest(expires_at, $3)
       where id = $1 and tenant_id = $2 and status = 'STORED' and expires_at > $4`,
      [id, tenantId, until, now],
    );
    return rows.length === 1;
  }

  /** Deletes expired rows that are not being received and that no job needs; returns their ids. */
  async deleteExpired(now: Date, staleBefore: Date, limit: number): Promise<readonly string[]> {
    const rows = await this.#changed(
      `delete from uploads where id in (
         select id from uploads
         where expires_at <= $1 and (status <> 'RECEIVING' or receiving_since < $2)
           and not exists (select 1 from jobs where jobs.upload_id = uploads.id)
         order by expires_at limit $3 for update skip locked)`,
      [now, staleBefore, limit],
    );
    return rows.map(({ id }) => id);
  }

  /** TypeORM returns a bare UPDATE or DELETE in another shape than a SELECT. */
  #changed(statement: string, parameters: unknown[]): Promise<UploadRow[]> {
    return this.#rows(`with changed as (${statement} returning *) select * from changed`, parameters);
  }

  async #rows(sql: string, parameters: unknown[]): Promise<UploadRow[]> {
    return this.#database.query<UploadRow[]>(sql, parameters);
  }
}

function toRecord(row: UploadRow): UploadRecord {
  return {
    id: row.id,
    tenantId: row.tenant_id,
    filename: row.filename,
    contentType: row.content_type,
    sizeBytes: Number(row.size_bytes),
    sha256: row.sha256,
    status: row.status,
    storedSha256: row.stored_sha256,
    idempotencyKey: row.idempotency_key,
    createdAt: row.created_at,
    expiresAt: row.expires_at,
    receivingSince: row.receiving_since,
    storedAt: row.stored_at,
  };
}
