package dev.recurrent.training.checkpoint;

import dev.recurrent.zoo.checkpoint.AtomicFolders;
import dev.recurrent.zoo.checkpoint.CheckpointSaveException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Comparator;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The checkpoints of a run, in a folder: {@code step-00000100} and so on. A save that is killed or
 * fails leaves the earlier ones as they were. The last few are kept, and the one with the least
 * validation loss.
 *
 * <p>A step that is saved again is {@code step-00000100.new} until the earlier checkpoint is gone.
 *
 * <p>One process may save at a time: see {@link RunLock}.
 */
public final class CheckpointStore {

    private static final Logger LOGGER = LoggerFactory.getLogger(CheckpointStore.class);
    private static final Pattern NAME = Pattern.compile("step-(\\d{8,18})(\\.new)?");
    private static final String REPLACEMENT = ".new";
    private static final long MAX_STEP = 999_999_999_999_999_999L;

    private final Path folder;
    private final int keepLast;

    /** Writes a checkpoint's files. */
    @FunctionalInterface
    public interface Content {

        /**
         * Writes everything.
         *
         * @param folder an empty folder, for files but no folders
         * @throws IOException if writing fails; the checkpoint is not made then
         */
        void writeTo(Path folder) throws IOException;
    }

    /** Reads a checkpoint's manifest, and compares it to the files or not. */
    private interface ManifestReader {
        Manifest read(Path checkpoint) throws IOException;
    }

    /**
     * Opens a store.
     *
     * @param folder of the checkpoints, which must be there
     * @param keepLast how many to keep, besides the best
     * @throws IllegalArgumentException if none is to be kept
     */
    public CheckpointStore(Path folder, int keepLast) {
        if (keepLast < 1) {
            throw new IllegalArgumentException(
                    "At least one checkpoint must be kept, not " + keepLast);
        }
        this.folder = folder.toAbsolutePath();
        this.keepLast = keepLast;
    }

    /**
     * Saves a checkpoint, then deletes those that are no longer kept.
     *
     * @param step after which it is saved; an earlier checkpoint of that step is replaced
     * @param validationLoss at that step; not finite if it is not known
     * @param content its files
     * @throws CheckpointSaveException if it cannot be saved; earlier ones are there as before
     * @throws IllegalArgumentException if the step is negative
     */
    public void save(long step, double validationLoss, Content content)
            throws CheckpointSaveException {
        if (step < 0 || step > MAX_STEP) {
            throw new IllegalArgumentException("A step must be >= 0, not " + step);
        }
        Path target = folder.resolve(String.format(Locale.ROOT, "step-%08d", step));
        try {
            AtomicFolders.deleteLeftovers(folder);
            finishReplacements();
            AtomicFolders.write(
                    Files.exists(target) ? replacement(target) : target,
                    made -> {
                        content.writeTo(made);
                        Manifest.of(made, step, validationLoss).write(made);
                    });
            finishReplacements();
        } catch (IOException | RuntimeException e) {
            throw new CheckpointSaveException(target, e);
        }
        prune(target);
    }

    private static Path replacement(Path target) {
        return target.resolveSibling(target.getFileName() + REPLACEMENT);
    }

    /** Gives replacements their names, also those of a writer that was killed. */
    private void finishReplacements() throws IOException {
        for (Path candidate : list()) {
            String name = candidate.getFileName().toString();
            if (name.endsWith(REPLACEMENT)) {
                String last = name.substring(0, name.length() - REPLACEMENT.length());
                AtomicFolders.replace(folder.resolve(last), candidate);
            }
        }
    }

    /**
     * Deletes what is older than the last few, but for the best. What is damaged does not count
     * among them, and what was just saved is kept even if later steps are there: a run that is
     * resumed from before damaged ones must not lose what it saves.
     */
    private void prune(Path saved) {
        try {
            // Sizes will do: checksums would read every checkpoint again at every save.
            List<StoredCheckpoint> whole = read(Manifest::complete).toList();
            if (whole.size() <= keepLast) {
                return;
            }
            long oldest = whole.get(keepLast - 1).step();
            Optional<Path> best = best(whole.stream()).map(StoredCheckpoint::folder);
            for (Path candidate : list()) {
                if (step(candidate) < oldest
                        && !candidate.equals(saved)
                        && !best.equals(Optional.of(candidate))) {
                    AtomicFolders.delete(candidate);
                }
            }
        } catch (IOException e) {
            LOGGER.warn("Checkpoints that are no longer kept cannot be deleted: {}", e.toString());
        }
    }

    /**
     * Finds the newest checkpoint, of the highest step, whose files are what was saved. Newer ones
     * that are damaged are passed over, with a warning.
     *
     * @return the checkpoint, if there is one
     * @throws IOException if the folder cannot be listed
     */
    public Optional<StoredCheckpoint> newestValid() throws IOException {
        return read(Manifest::verified).findFirst();
    }

    /**
     * Finds the checkpoint with the least validation loss among those whose files are what was
     * saved.
     *
     * @return the checkpoint; empty if no validation loss is known
     * @throws IOException if the folder cannot be listed
     */
    public Optional<StoredCheckpoint> best() throws IOException {
        return best(read(Manifest::verified));
    }

    private static Optional<StoredCheckpoint> best(Stream<StoredCheckpoint> checkpoints) {
        return checkpoints
                .filter(checkpoint -> !Double.isNaN(checkpoint.validationLoss()))
                .min(Comparator.comparingDouble(StoredCheckpoint::validationLoss));
    }

    /** Reads checkpoints as they are asked for, the newest first. */
    private Stream<StoredCheckpoint> read(ManifestReader reader) throws IOException {
        return list().stream().flatMap(candidate -> read(candidate, reader).stream());
    }

    private static Optional<StoredCheckpoint> read(Path candidate, ManifestReader reader) {
        try {
            Manifest manifest = reader.read(candidate);
            if (manifest.step() != step(candidate)) {
                throw new IOException(Manifest.FILE + " is of step " + manifest.step());
            }
            return Optional.of(new StoredCheckpoint(manifest.step(), manifest.loss(), candidate));
        } catch (IOException e) {
            LOGGER.warn("The checkpoint {} is passed over: {}", candidate, e.getMessage());
            return Optional.empty();
        }
    }

    /** The folders of checkpoints, the newest first, a replacement before what it replaces. */
    private List<Path> list() throws IOException {
        try (Stream<Path> found = Files.list(folder)) {
            return found.filter(path -> step(path) >= 0)
                    .sorted(
                            Comparator.comparingLong(CheckpointStore::step)
                                    .thenComparing(Comparator.naturalOrder())
                                    .reversed())
                    .toList();
        }
    }

    private static long step(Path candidate) {
        Matcher name = NAME.matcher(candidate.getFileName().toString());
        return name.matches() ? Long.parseLong(name.group(1)) : -1;
    }
}
