/** Who makes a call. There is one tenant until API keys exist. */
export interface Principal {
  readonly tenantId: string;
  readonly actor: string;
}
