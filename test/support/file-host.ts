import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface HostedFile {
  readonly status?: number;
  readonly contentType?: string;
  readonly body: Buffer | string;
}

export interface FileHost {
  /** Where the file of this name is, or would be. */
  urlOf(name: string): string;
  close(): Promise<void>;
}

/** A web server that has these files and nothing else, on a free port of the loopback. */
export async function hostFiles(
  files: Readonly<Record<string, HostedFile>>,
  onRequest: (name: string) => void = () => {},
): Promise<FileHost> {
  const server = createServer((request, response: ServerResponse) => {
    const name = (request.url ?? '/').slice(1);
    onRequest(name);
    const file = files[name];
    response.writeHead(file?.status ?? (file === undefined ? 404 : 200), {
      'content-type': file?.contentType ?? 'application/octet-stream',
    });
    response.end(file?.body ?? 'not here');
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    urlOf: (name) => `http://127.0.0.1:${port}/${name}`,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
