/** The codes of errors: those of the API, and four of this client. */
export type ErrorCode =
  | "UNAUTHENTICATED"
  | "FORBIDDEN"
  | "NOT_FOUND"
  | "BAD_USER_INPUT"
  | "CONFLICT"
  | "BEING_ERASED"
  | "CURSOR_EXPIRED"
  | "SLOW_CONSUMER"
  | "RATE_LIMITED"
  | "UNAVAILABLE"
  | "QUERY_TOO_COMPLEX"
  | "PAYLOAD_TOO_LARGE"
  | "PERSISTED_QUERY_NOT_FOUND"
  | "PERSISTED_QUERY_NOT_SUPPORTED"
  | "QUERY_NOT_IN_SAFELIST"
  | "GRAPHQL_PARSE_FAILED"
  | "GRAPHQL_VALIDATION_FAILED"
  | "OPERATION_RESOLUTION_FAILURE"
  | "INTROSPECTION_DISABLED"
  | "BAD_REQUEST"
  | "INTERNAL_SERVER_ERROR"
  /** The server was not reached, or the connection broke. */
  | "NETWORK_ERROR"
  /** Something else than Scrollback answered, for example a proxy. */
  | "BAD_RESPONSE"
  /** The function that provides tokens failed; `cause` is its error. */
  | "TOKEN_UNAVAILABLE"
  /** The writer of a message has ended. */
  | "WRITER_ENDED"
  | (string & {});

/** An error in a GraphQL response. */
export interface GraphQLErrorBody {
  message: string;
  path?: ReadonlyArray<string | number>;
  extensions?: Record<string, unknown>;
}

/** What is known about an error besides its code and message. */
export interface ErrorDetails {
  path?: ReadonlyArray<string | number> | undefined;
  retryable?: boolean | undefined;
  retryAfterMs?: number | undefined;
  requestId?: string | undefined;
  status?: number | undefined;
  extensions?: Record<string, unknown> | undefined;
  errors?: ReadonlyArray<GraphQLErrorBody> | undefined;
  cause?: unknown;
}

/** Every error of this client. */
export class ScrollbackError extends Error {
  /** The code in `extensions.code`, or one of this client. */
  readonly code: ErrorCode;
  /** The field of the response that failed. */
  readonly path: ReadonlyArray<string | number> | undefined;
  /** Whether the same request can succeed later. */
  readonly retryable: boolean;
  /** How long to wait before the next attempt, if the server said so. */
  readonly retryAfterMs: number | undefined;
  /** The id under which the server's log has more. */
  readonly requestId: string | undefined;
  /** The HTTP status. */
  readonly status: number | undefined;
  /** Everything in `extensions`, for example `headId` or `length` of a CONFLICT. */
  readonly extensions: Record<string, unknown>;
  /** All errors of the response. This error is the first. */
  readonly errors: ReadonlyArray<GraphQLErrorBody>;

  constructor(code: ErrorCode, message: string, details: ErrorDetails = {}) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause });
    this.name = "ScrollbackError";
    this.code = code;
    this.path = details.path;
    this.retryable = details.retryable ?? false;
    this.retryAfterMs = details.retryAfterMs;
    this.requestId = details.requestId;
    this.status = details.status;
    this.extensions = details.extensions ?? {};
    this.errors = details.errors ?? [];
  }
}

/** The error of a GraphQL response with errors. */
export function responseError(errors: ReadonlyArray<GraphQLErrorBody>, details: ErrorDetails = {}): ScrollbackError {
  const first = errors[0];
  const extensions = first?.extensions ?? {};
  const string = (value: unknown) => (typeof value === "string" ? value : undefined);
  return new ScrollbackError(string(extensions["code"]) ?? "BAD_RESPONSE", first?.message ?? "the request failed", {
    ...details,
    path: first?.path,
    retryable: extensions["retryable"] === true,
    retryAfterMs: typeof extensions["retryAfterMs"] === "number" ? extensions["retryAfterMs"] : details.retryAfterMs,
    requestId: string(extensions["requestId"]) ?? details.requestId,
    extensions,
    errors,
  });
}

/** The error of a connection that could not be made, or broke. */
export function networkError(message: string, cause?: unknown): ScrollbackError {
  return new ScrollbackError("NETWORK_ERROR", message, { retryable: true, cause });
}
