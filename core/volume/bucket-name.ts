/**
 * R2's rule for a bucket's name (developers.cloudflare.com/r2/buckets/create-buckets). S3's rule contains it: that one also takes
 * dots, with which no certificate for BUCKET.HOST fits.
 */
export const BUCKET_NAME = /^[a-z0-9][a-z0-9-]{1,61}[a-z0-9]$/;
/** {@link BUCKET_NAME} for messages. */
export const BUCKET_NAME_RULE = "3 to 63 lower case letters, digits and hyphens, no hyphen at an end";
