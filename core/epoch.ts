/**
 * The time that stands in images instead of the time of their build: 2026-01-01T00:00:00Z, in seconds.
 * A constant, so that a commit's time is in no image; later than the files of most packages, so that these keep
 * theirs; later than 1980, since ZIP archives know nothing earlier.
 */
export const SOURCE_DATE_EPOCH = 1_767_225_600;
