/**
 * Weights on disk: safetensors files, whole or in shards, read strictly and written atomically.
 *
 * <p>A file that breaks a rule of the format is refused with a {@link
 * dev.recurrent.zoo.checkpoint.CheckpointException} that names the file, the tensor and the rule;
 * what is allocated is bounded by the file's size, whatever the file claims.
 */
package dev.recurrent.zoo.checkpoint;
