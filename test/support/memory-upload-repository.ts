import type { UploadRecord, UploadRepository } from '../../src/uploads/upload-store.ts';

/** The obligations of `UploadRepository` in memory, for tests of what is above it. */
export class MemoryUploadRepository implements UploadRepository {
  readonly uploads = new Map<string, UploadRecord>();

  async insert(upload: UploadRecord): Promise<UploadRecord> {
    const earlier = [...this.uploads.values()].find(
      ({ tenantId, idempotencyKey }) =>
        idempotencyKey !== null && tenantId === upload.tenantId && idempotencyKey === upload.idempotencyKey,
    );
    if (earlier !== undefined) return earlier;
    this.uploads.set(upload.id, upload);
    return upload;
  }

  async find(id: string): Promise<UploadRecord | null> {
    return this.uploads.get(id) ?? null;
  }

  async findAll(ids: readonly string[]): Promise<readonly UploadRecord[]> {
    return [...this.uploads.values()].filter(({ id }) => ids.includes(id));
  }

  async beginReceiving(id: string, now: Date, staleBefore: Date): Promise<boolean> {
    const upload = this.uploads.get(id);
    const isStale = upload?.receivingSince !== null && (upload?.receivingSince ?? now) < staleBefore;
    if (upload?.status !== 'PENDING' && !(upload?.status === 'RECEIVING' && isStale)) return false;
    this.#change(id, { status: 'RECEIVING', receivingSince: now });
    return true;
  }

  async touchReceiving(id: string, now: Date): Promise<void> {
    this.#change(id, { receivingSince: now });
  }

  async finish(
    id: string,
    stored: { readonly sha256: string; readonly at: Date; readonly expiresAt: Date },
  ): Promise<void> {
    this.#change(id, {
      status: 'STORED',
      storedSha256: stored.sha256,
      storedAt: stored.at,
      expiresAt: stored.expiresAt,
      receivingSince: null,
    });
  }

  async abandon(id: string): Promise<void> {
    this.#change(id, { status: 'PENDING', receivingSince: null });
  }

  async keepUntil(tenantId: string, id: string, until: Date, now: Date): Promise<boolean> {
    const upload = this.uploads.get(id);
    if (upload?.tenantId !== tenantId || upload.status !== 'STORED' || upload.expiresAt <= now) return false;
    this.#change(id, { expiresAt: until > upload.expiresAt ? until : upload.expiresAt });
    return true;
  }

  async deleteExpired(now: Date, staleBefore: Date, limit: number): Promise<readonly string[]> {
    const expired = [...this.uploads.values()]
      .filter(({ expiresAt, status, receivingSince }) => {
        const isBeingSent =
          status === 'RECEIVING' && receivingSince !== null && receivingSince >= staleBefore;
        return expiresAt <= now && !isBeingSent;
      })
      .slice(0, limit)
      .map(({ id }) => id);
    for (const id of expired) this.uploads.delete(id);
    return expired;
  }

  #change(id: string, change: Partial<UploadRecord>): void {
    const upload = this.uploads.get(id);
    if (upload !== undefined) this.uploads.set(id, { ...upload, ...change });
  }
}
