/** How the daemon stands with the Kubernetes API; undefined where nothing says that there is one for it. */
export type ClusterStatus = {
  /** The server that answered last; undefined before the first. */
  readonly server: string | undefined;
  /** Why less is known of the cluster than could be. */
  readonly problem: string | undefined;
};
