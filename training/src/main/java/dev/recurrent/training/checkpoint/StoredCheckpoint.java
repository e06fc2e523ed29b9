package dev.recurrent.training.checkpoint;

import java.nio.file.Path;

/**
 * A checkpoint on disk.
 *
 * @param step after which it was saved
 * @param validationLoss at that step; NaN if it is not known
 * @param folder of its files
 */
public record StoredCheckpoint(long step, double validationLoss, Path folder) {}
