/**
 * One id format everywhere (GraphQL, SQL, subjects, URLs, logs): a prefix that names the type, an
 * underscore, and a UUIDv7 as 32 hexadecimal digits, so that ids sort by creation time.
 */
export const ID_PREFIXES = { Job: 'job', Upload: 'upl', Queue: 'que', Worker: 'wrk', Tenant: 'ten' } as const;
export type IdType = keyof typeof ID_PREFIXES;

const ID_PATTERN = /^([a-z]{3})_([0-9a-zA-Z-]{1,64})$/;

/** The type of an id; null for a text that is no id. */
export function typeOfId(id: string): IdType | null {
  const prefix = ID_PATTERN.exec(id)?.[1];
  const entry = Object.entries(ID_PREFIXES).find(([, value]) => value === prefix);
  return entry === undefined ? null : (entry[0] as IdType);
}

export function isIdOf(type: IdType, id: string): boolean {
  return typeOfId(id) === type;
}

/** @param uuid A UUIDv7. */
export function toId(type: IdType, uuid: string): string {
  return `${ID_PREFIXES[type]}_${uuid.replaceAll('-', '')}`;
}
