import { expect, it } from 'vitest';
import type { QueueView } from '../../src/domain/queue-view.ts';
import type { UploadView } from '../../src/uploads/create-upload.ts';
import { post, startEdge } from '../support/edge.ts';

const QUEUE = { id: 'que_whisper', name: 'whisper' } as unknown as QueueView;
const idOf = (kind: string, last: string) => `${kind}_0190a1b2c3d47e8f9a0b1c2d3e4f5a6${last}`;

it('reads any number of objects of one kind in one batch', async () => {
  const asked: unknown[] = [];
  const edge = await startEdge({
    api: {
      uploads: {
        find: async (ids) => {
          asked.push(ids);
          return ids.map((id) => ({ id }) as UploadView);
        },
      },
      queues: {
        list: async () => {
          asked.push('queues');
          return [QUEUE];
        },
      },
    },
  });
  const uploads = ['a', 'b', 'c'].map((last) => idOf('upl', last));
  const ids = [...uploads, QUEUE.id, 'que_none', 'x'];
  const { data } = await post(edge, 'query ($ids: [ID!]!) { nodes(ids: $ids) { id } }', { ids });
  await edge.close();

  expect(data.nodes).toEqual([...uploads.map((id) => ({ id })), { id: QUEUE.id }, null, null]);
  expect(asked).toEqual([uploads, 'queues']);
});
