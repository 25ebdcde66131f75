/** Name of the cluster, its context and its user in the kubeconfig. */
export const CLUSTER_NAME = "keelson-lab";
/** Name of the one node. */
export const NODE_NAME = "keelson-lab";
/** Addresses of services. */
export const SERVICE_NETWORK = "10.96.0.0/16";
/** The API's own service: the network's first address. */
export const SERVICE_ADDRESS = "10.96.0.1";
export const CLUSTER_DOMAIN = "cluster.local";
/** The user that the cluster's DNS is. */
export const DNS_USER = "keelson-lab-dns";
