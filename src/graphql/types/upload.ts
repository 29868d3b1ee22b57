import { AudioSourceError, QuotaExceededError, ValidationError } from '../../domain/errors.ts';
import { isIdOf } from '../../domain/ids.ts';
import type { UploadView } from '../../uploads/create-upload.ts';
import { builder } from '../builder.ts';

const HttpHeaderRef = builder.objectRef<UploadView['headers'][number]>('HttpHeader').implement({
  description: 'A header of an HTTP request.',
  fields: (t) => ({
    name: t.exposeString('name', { description: 'Its name.' }),
    value: t.exposeString('value', { description: 'Its value.' }),
  }),
});

export const UploadRef = builder.objectRef<UploadView>('Upload');

builder.node(UploadRef, {
  description: 'A place to send a recording to, once: `curl -T recording.mp3 URL`.',
  id: { resolve: (upload) => upload.id },
  isTypeOf: (value) => isIdOf('Upload', (value as UploadView).id),
  fields: (t) => ({
    method: t.exposeString('method', { description: 'HTTP method to send it with: PUT.' }),
    url: t.expose('url', { type: 'URL', description: 'Where to send it; signed, short-lived.' }),
    headers: t.field({
      type: [HttpHeaderRef],
      description: 'Headers to send with it; may be left out.',
      resolve: (upload) => [...upload.headers],
    }),
    maxBytes: t.expose('maxBytes', { type: 'SafeInt', description: 'What is refused above, in bytes.' }),
    expiresAt: t.expose('expiresAt', { type: 'DateTime', description: 'Until when `url` works.' }),
  }),
});

const CreateUploadPayload = builder
  .objectRef<{ readonly upload: UploadView }>('CreateUploadPayload')
  .implement({
    description: 'The place is ready.',
    fields: (t) => ({ upload: t.expose('upload', { type: UploadRef, description: 'Where to send it.' }) }),
  });

const CreateUploadResult = builder.errorUnion('CreateUploadResult', {
  description: 'What `createUpload` gives back.',
  types: [CreateUploadPayload, ValidationError, AudioSourceError, QuotaExceededError],
  resolveType: () => CreateUploadPayload,
});

const CreateUploadInput = builder.inputType('CreateUploadInput', {
  description: 'The file that will be sent.',
  fields: (t) => ({
    filename: t.string({ required: true, description: 'Its name; at most 255 characters.' }),
    contentType: t.string({
      required: true,
      description: 'Its media type: audio/*, video/* or application/octet-stream.',
    }),
    sizeBytes: t.field({ type: 'SafeInt', required: true, description: 'Its exact size in bytes.' }),
    sha256: t.string({ description: 'Its SHA-256 in hexadecimal; checked when given.' }),
    idempotencyKey: t.string({
      description: 'Same key and input gives the same upload back; 8 to 128 characters.',
    }),
  }),
});

builder.mutationField('createUpload', (t) =>
  t.field({
    type: CreateUploadResult,
    nullable: true,
    description: 'Makes a place to send a recording to; give its id to `submitJob`.',
    args: { input: t.arg({ type: CreateUploadInput, required: true, description: 'The file.' }) },
    resolve: async (_root, { input }, { api }) => ({
      upload: await api.uploads.create(input),
    }),
  }),
);
