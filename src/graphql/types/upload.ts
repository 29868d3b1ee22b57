import { AudioSourceError, QuotaExceededError, ValidationError } from '../../domain/errors.ts';
import { isIdOf } from '../../domain/ids.ts';
import type { UploadView } from '../../uploads/create-upload.ts';
import { builder } from '../builder.ts';

const HttpHeaderRef = builder.objectRef<UploadView['headers'][number]>('HttpHeader').implement({
  description: 'HTTP header.',
  fields: (t) => ({
    name: t.exposeString('name', { description: 'Name.' }),
    value: t.exposeString('value', { description: 'Value.' }),
  }),
});

const UploadRef = builder.objectRef<UploadView>('Upload');

builder.node(UploadRef, {
  description: 'Upload of one recording: send the file with `curl -T recording.mp3 URL`.',
  id: { resolve: (upload) => upload.id },
  isTypeOf: (value) => isIdOf('Upload', (value as UploadView).id),
  fields: (t) => ({
    method: t.exposeString('method', { description: 'HTTP method for sending the file: PUT.' }),
    url: t.expose('url', {
      type: 'URL',
      description: 'Signed URL to send the file to, without authentication.',
    }),
    headers: t.field({
      type: [HttpHeaderRef],
      description: 'HTTP headers to send; optional.',
      resolve: (upload) => [...upload.headers],
    }),
    maxBytes: t.expose('maxBytes', { type: 'SafeInt', description: 'Maximum size of a file in bytes.' }),
    expiresAt: t.expose('expiresAt', { type: 'DateTime', description: 'Time at which `url` expires.' }),
  }),
});

const CreateUploadPayload = builder
  .objectRef<{ readonly upload: UploadView }>('CreateUploadPayload')
  .implement({
    description: 'The upload was created.',
    fields: (t) => ({ upload: t.expose('upload', { type: UploadRef, description: 'The upload.' }) }),
  });

const CreateUploadResult = builder.errorUnion('CreateUploadResult', {
  description: 'Result of `createUpload`.',
  types: [CreateUploadPayload, ValidationError, AudioSourceError, QuotaExceededError],
  resolveType: () => CreateUploadPayload,
});

const CreateUploadInput = builder.inputType('CreateUploadInput', {
  description: 'Input of `createUpload`.',
  fields: (t) => ({
    filename: t.string({ required: true, description: 'File name; at most 255 characters.' }),
    contentType: t.string({
      required: true,
      description: 'Media type: audio/*, video/*, application/ogg or application/octet-stream.',
    }),
    sizeBytes: t.field({ type: 'SafeInt', required: true, description: 'Exact size in bytes.' }),
    sha256: t.string({ description: 'SHA-256 in hexadecimal; verified if present.' }),
    idempotencyKey: t.string({
      description: 'Calls with the same key and input return the same upload; 8 to 128 characters.',
    }),
  }),
});

builder.mutationField('createUpload', (t) =>
  t.field({
    type: CreateUploadResult,
    nullable: true,
    description: 'Creates an upload. Send the file to its URL, then pass its id to `submitJob`.',
    args: { input: t.arg({ type: CreateUploadInput, required: true, description: 'The file.' }) },
    resolve: async (_root, { input }, { api }) => ({
      upload: await api.uploads.create(input),
    }),
  }),
);
