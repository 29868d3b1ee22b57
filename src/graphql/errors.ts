import { GraphQLError } from 'graphql';
import type { Plugin } from 'graphql-yoga';
import { UnavailableError, UserError, ValidationError } from '../domain/errors.ts';
import { unlessAborted } from '../process/wait.ts';

export interface UnexpectedErrors {
  /** Id of the current operation, for the caller and the log. */
  requestId(): string;
  log(error: unknown, requestId: string): void;
}

const STATUS_BY_CODE: Readonly<Record<string, number>> = {
  BAD_USER_INPUT: 400,
  QUERY_TOO_COMPLEX: 400,
  NOT_FOUND: 404,
  QUOTA_EXCEEDED: 429,
  CONCURRENCY_LIMIT: 429,
  TOO_MANY_OPERATIONS: 429,
  INTERNAL_SERVER_ERROR: 500,
  SERVICE_UNAVAILABLE: 503,
  QUEUE_FULL: 503,
  QUERY_TIMEOUT: 504,
};

/** The innermost error, without the wrappers of the executor. */
function causeOf(error: unknown): unknown {
  return error instanceof GraphQLError && error.originalError !== undefined
    ? causeOf(error.originalError)
    : error;
}

function extensionsOf(error: UserError): Record<string, unknown> {
  if (!(error instanceof ValidationError)) return { code: error.code, path: error.path };
  const code = error.code === 'INVALID_INPUT' ? 'BAD_USER_INPUT' : error.code;
  return { code, path: error.path, issues: error.issues };
}

/**
 * Passes expected errors on to the caller. Of all others, the caller gets a code and a request id, under which they are
 * logged.
 */
export function createErrorMask(unexpected: UnexpectedErrors): (error: unknown) => GraphQLError {
  return (error) => {
    const place =
      error instanceof GraphQLError
        ? { nodes: error.nodes ?? null, source: error.source ?? null, path: error.path ?? null }
        : {};
    const cause = causeOf(error);
    if (cause instanceof GraphQLError && error instanceof GraphQLError) {
      const extensions = { code: 'BAD_USER_INPUT', ...error.extensions, ...cause.extensions };
      return new GraphQLError(error.message, { ...place, positions: error.positions ?? null, extensions });
    }
    if (cause instanceof UserError) {
      return new GraphQLError(cause.message, { ...place, extensions: extensionsOf(cause) });
    }
    const requestId = unexpected.requestId();
    if (cause instanceof UnavailableError) {
      unexpected.log(cause, requestId);
      const { retryAfterSeconds } = cause;
      const extensions = { code: 'SERVICE_UNAVAILABLE', retryable: true, retryAfterSeconds, requestId };
      return new GraphQLError(cause.message, { ...place, extensions });
    }
    unexpected.log(cause, requestId);
    return new GraphQLError('Internal error. Please report the request id.', {
      ...place,
      extensions: { code: 'INTERNAL_SERVER_ERROR', retryable: false, requestId },
    });
  };
}

/** Errors of the caller. */
const CALLER_STATUSES: readonly number[] = [400, 404];

function withStatus(error: GraphQLError, status: number): GraphQLError {
  const { message, nodes, source, positions, path } = error;
  const extensions = { ...error.extensions, http: { status, spec: true } };
  return new GraphQLError(message, { nodes, source, positions, path, extensions });
}

function isEmpty(data: unknown): boolean {
  if (data === null || data === undefined) return true;
  return typeof data === 'object' && Object.values(data).every((value) => value === null);
}

/**
 * Sets the HTTP status of responses that consist of errors only; partial ones stay 200. Clients that accept
 * `application/json` get 200 for their own errors. Source: GraphQL over HTTP, section 6.4.
 */
export function httpStatusOfErrors(): Plugin {
  return {
    onExecutionResult({ result, setResult }) {
      if (result === undefined || Array.isArray(result) || !('errors' in result)) return;
      const { errors, data } = result;
      if (errors === undefined || errors.length === 0 || !isEmpty(data)) return;
      const codes = errors.map((error) => error.extensions?.code);
      const status = Math.max(...codes.map((code) => STATUS_BY_CODE[String(code)] ?? 0));
      if (status === 0) return;
      if (CALLER_STATUSES.includes(status)) {
        setResult({ ...result, errors: errors.map((error) => withStatus(error, status)) });
        return;
      }
      const retryAfter = errors.map((error) => error.extensions?.retryAfterSeconds).find(Number.isFinite);
      const headers = retryAfter === undefined ? {} : { 'retry-after': String(retryAfter) };
      setResult({ ...result, extensions: { ...result.extensions, http: { status, headers } } });
    },
  };
}

/** Answers a query or mutation with an error after a time. Its resolvers go on within their own limits. */
export function executionTimeout(timeoutMs: number): Plugin {
  return {
    onExecute({ executeFn, setExecuteFn }) {
      setExecuteFn(async (args) => {
        const timeout = new AbortController();
        const timer = setTimeout(() => timeout.abort(), timeoutMs);
        try {
          return await unlessAborted(Promise.resolve(executeFn(args)), timeout.signal);
        } catch (error) {
          if (error !== timeout.signal.reason) throw error;
          return { errors: [timeoutError(timeoutMs)] };
        } finally {
          clearTimeout(timer);
        }
      });
    },
  };
}

function timeoutError(timeoutMs: number): GraphQLError {
  return new GraphQLError(`The operation took longer than ${timeoutMs / 1000} seconds.`, {
    extensions: { code: 'QUERY_TIMEOUT', retryable: true },
  });
}
