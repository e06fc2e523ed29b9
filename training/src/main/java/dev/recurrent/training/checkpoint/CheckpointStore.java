package dev.recurrent.training.checkpoint;

import dev.recurrent.zoo.checkpoint.AtomicFolders;
import dev.recurrent.zoo.checkpoint.CheckpointSaveException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
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
 * <p>One process may save at a time: see {@link RunLock}.
 */
public final class CheckpointStore {

    private static final Logger LOGGER = LoggerFactory.getLogger(CheckpointStore.class);
    private static final Pattern NAME = Pattern.compile("step-(\\d{8,18})");

    private final Path folder;
    private final int keepLast;

    /** Writes a checkpoint's files. */
    @FunctionalInterface
    public interface Content {

        /**
         * Writes everything.
         *
         * @param folder an empty folder
         * @throws IOException if writing fails; the checkpoint is not made then
         */
        void writeTo(Path folder) throws IOException;
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
     * @param validationLoss at that step; NaN if it is not known
     * @param content its files
     * @throws CheckpointSaveException if it cannot be saved; earlier ones are there as before
     */
    public void save(long step, double validationLoss, Content content)
            throws CheckpointSaveException {
        Path target = folder.resolve(String.format(Locale.ROOT, "step-%08d", step));
        try {
            AtomicFolders.deleteLeftovers(folder);
            AtomicFolders.write(
                    target,
                    made -> {
                        content.writeTo(made);
                        Manifest.of(made, step, validationLoss).write(made);
                    });
            prune();
        } catch (IOException | RuntimeException e) {
            throw new CheckpointSaveException(target, e);
        }
    }

    private void prune() throws IOException {
        List<StoredCheckpoint> all = describe();
        Optional<StoredCheckpoint> best = best(all);
        for (int i = keepLast; i < all.size(); i++) {
            if (!best.equals(Optional.of(all.get(i)))) {
                AtomicFolders.delete(all.get(i).folder());
            }
        }
    }

    /**
     * Finds the newest checkpoint whose files are what was saved. Newer ones that are damaged are
     * passed over, with a warning.
     *
     * @return the checkpoint, if there is one
     * @throws IOException if the folder cannot be listed
     */
    public Optional<StoredCheckpoint> newestValid() throws IOException {
        for (Path candidate : list()) {
            Optional<StoredCheckpoint> valid = valid(candidate);
            if (valid.isPresent()) {
                return valid;
            }
        }
        return Optional.empty();
    }

    /**
     * Finds the checkpoint with the least validation loss among those whose files are what was
     * saved.
     *
     * @return the checkpoint; empty if no validation loss is known
     * @throws IOException if the folder cannot be listed
     */
    public Optional<StoredCheckpoint> best() throws IOException {
        List<StoredCheckpoint> valid = new ArrayList<>();
        for (Path candidate : list()) {
            valid(candidate).ifPresent(valid::add);
        }
        return best(valid);
    }

    private static Optional<StoredCheckpoint> best(List<StoredCheckpoint> checkpoints) {
        return checkpoints.stream()
                .filter(checkpoint -> !Double.isNaN(checkpoint.validationLoss()))
                .min(Comparator.comparingDouble(StoredCheckpoint::validationLoss));
    }

    private static Optional<StoredCheckpoint> valid(Path candidate) {
        try {
            Manifest manifest = Manifest.verified(candidate);
            return Optional.of(new StoredCheckpoint(manifest.step(), manifest.loss(), candidate));
        } catch (IOException e) {
            LOGGER.warn("The checkpoint {} is passed over: {}", candidate, e.getMessage());
            return Optional.empty();
        }
    }

    /** All checkpoints, the newest first, their files not looked at. */
    private List<StoredCheckpoint> describe() throws IOException {
        List<StoredCheckpoint> all = new ArrayList<>();
        for (Path candidate : list()) {
            double loss = Double.NaN;
            try {
                loss = Manifest.read(candidate.resolve(Manifest.FILE)).loss();
            } catch (IOException e) {
                LOGGER.warn("The checkpoint {} is damaged: {}", candidate, e.getMessage());
            }
            all.add(new StoredCheckpoint(step(candidate), loss, candidate));
        }
        return all;
    }

    /** The folders of checkpoints, the newest first. */
    private List<Path> list() throws IOException {
        try (Stream<Path> found = Files.list(folder)) {
            return found.filter(path -> step(path) >= 0)
                    .sorted(Comparator.comparingLong(CheckpointStore::step).reversed())
                    .toList();
        }
    }

    private static long step(Path candidate) {
        Matcher name = NAME.matcher(candidate.getFileName().toString());
        return name.matches() ? Long.parseLong(name.group(1)) : -1;
    }
}
