/** Who asks. One tenant until keys exist. */
export interface Principal {
  readonly tenantId: string;
  readonly actor: string;
}
