import * as v from 'valibot';

/** What is read of Kubernetes' answers, and no more: who answers may be anybody, and newer versions say more. */

/** Opaque (API concepts, "Resource versions"); etcd's are at most 20 digits. */
const MAX_VERSION = 128;
/** The longest name of an object is a DNS subdomain (RFC 1123): 253 characters. */
const MAX_NAME = 253;
/** Both families of a dual-stack cluster; ServiceCIDR allows two (networking.k8s.io/v1, `spec.cidrs`). */
const MOST_CIDRS = 2;
const MAX_CIDR = 64;
/** A UUID of 36 characters today; opaque. */
const MAX_UID = 128;
const MOST_CONDITIONS = 16;
const MAX_TEXT = 1 << 20;

const version = v.pipe(v.string(), v.minLength(1), v.maxLength(MAX_VERSION));
const name = v.pipe(v.string(), v.maxLength(MAX_NAME), v.regex(/^[a-z0-9][a-z0-9.-]*$/));

/** A page of a collection; `items` are read one by one. */
const List = v.object({
  apiVersion: v.string(),
  kind: v.string(),
  metadata: v.object({ resourceVersion: version, continue: v.optional(v.string()) }),
  // The API writes null for an empty list in places.
  items: v.nullish(v.array(v.unknown()), []),
});

const AnyObject = v.object({
  apiVersion: v.string(),
  kind: v.string(),
  metadata: v.object({ resourceVersion: version }),
});

const Event = v.object({
  type: v.picklist(['ADDED', 'MODIFIED', 'DELETED', 'BOOKMARK', 'ERROR']),
  object: v.unknown(),
});

const Status = v.object({ code: v.optional(v.number()), reason: v.optional(v.string()) });

const ServiceCidr = v.object({
  metadata: v.object({ name, deletionTimestamp: v.nullish(v.string()) }),
  spec: v.object({
    cidrs: v.pipe(v.array(v.pipe(v.string(), v.maxLength(MAX_CIDR))), v.maxLength(MOST_CIDRS)),
  }),
  status: v.optional(
    v.object({
      conditions: v.nullish(
        v.pipe(v.array(v.object({ type: v.string(), status: v.string() })), v.maxLength(MOST_CONDITIONS)),
        [],
      ),
    }),
    {},
  ),
});

const ConfigMap = v.object({
  kind: v.literal('ConfigMap'),
  data: v.object({ ClusterConfiguration: v.pipe(v.string(), v.maxLength(MAX_TEXT)) }),
});

const Service = v.object({
  kind: v.literal('Service'),
  spec: v.object({
    clusterIP: v.optional(v.pipe(v.string(), v.maxLength(MAX_CIDR))),
    clusterIPs: v.nullish(
      v.pipe(v.array(v.pipe(v.string(), v.maxLength(MAX_CIDR))), v.maxLength(MOST_CIDRS)),
      [],
    ),
  }),
});

const DaemonSet = v.object({
  metadata: v.object({
    name,
    uid: v.pipe(v.string(), v.minLength(1), v.maxLength(MAX_UID)),
    deletionTimestamp: v.nullish(v.string()),
  }),
});

function reader<S extends v.GenericSchema>(shape: S): (json: unknown) => v.InferOutput<S> | undefined {
  return (json) => {
    const read = v.safeParse(shape, json);
    return read.success ? read.output : undefined;
  };
}

export const readList = reader(List);
export const readObject = reader(AnyObject);
export const readEvent = reader(Event);
export const readStatus = reader(Status);
export const readServiceCidr = reader(ServiceCidr);
export const readConfigMap = reader(ConfigMap);
export const readDaemonSet = reader(DaemonSet);
export const readService = reader(Service);
