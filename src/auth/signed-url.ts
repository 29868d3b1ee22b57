import { createHmac, timingSafeEqual } from 'node:crypto';

export type SignatureCheck = 'VALID' | 'EXPIRED' | 'INVALID';

/** The signature covers the method, the path and every parameter but itself. */
function signatureOf(secret: string, method: string, url: URL): Buffer {
  const parameters = new URLSearchParams(url.search);
  parameters.delete('signature');
  // A proxy may reorder them.
  parameters.sort();
  return createHmac('sha256', secret).update(`${method}\n${url.pathname}\n${parameters}`).digest();
}

/** A URL that anyone who has it may use for this one method, until `expiresAt` (whole seconds). */
export function signUrl(secret: string, method: string, url: URL, expiresAt: Date): string {
  const signed = new URL(url);
  signed.searchParams.set('expires', String(Math.floor(expiresAt.getTime() / 1000)));
  signed.searchParams.set('signature', signatureOf(secret, method, signed).toString('base64url'));
  return signed.href;
}

export function checkSignature(secret: string, method: string, url: URL, now: Date): SignatureCheck {
  const given = Buffer.from(url.searchParams.get('signature') ?? '', 'base64url');
  const expected = signatureOf(secret, method, url);
  if (given.length !== expected.length || !timingSafeEqual(given, expected)) return 'INVALID';
  const expiresSeconds = Number(url.searchParams.get('expires'));
  return expiresSeconds * 1000 < now.getTime() ? 'EXPIRED' : 'VALID';
}
