package dev.recurrent.training.checkpoint;

import com.google.gson.Gson;
import com.google.gson.GsonBuilder;
import com.google.gson.JsonParseException;
import dev.recurrent.zoo.checkpoint.AtomicFiles;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;

/**
 * Where training stands, besides weights and moments. Random numbers need no state: the order of
 * the data and dropout's masks are functions of the seed and of where training stands.
 *
 * @param format of this record
 * @param step updates made
 * @param epoch of the data
 * @param batch next batch of the epoch
 * @param lossScale what the loss is multiplied by; 0 where it is not scaled
 * @param goodUpdates since the loss scale changed
 */
public record TrainingState(
        int format, long step, long epoch, long batch, double lossScale, int goodUpdates) {

    /** The format that is written. */
    public static final int FORMAT = 1;

    private static final String FILE = "trainer.json";
    private static final Gson JSON = new GsonBuilder().setPrettyPrinting().create();

    /** Writes the state into a checkpoint's folder. */
    public void write(Path folder) throws IOException {
        AtomicFiles.writeString(folder.resolve(FILE), JSON.toJson(this) + "\n");
    }

    /**
     * Reads the state of a checkpoint.
     *
     * @param folder the checkpoint
     * @return its state
     * @throws IOException if it cannot be read, or is none that this version knows
     */
    public static TrainingState read(Path folder) throws IOException {
        Path file = folder.resolve(FILE);
        try {
            TrainingState state = JSON.fromJson(Files.readString(file), TrainingState.class);
            if (state == null || state.format != FORMAT) {
                throw new IOException(
                        file
                                + " is of format "
                                + (state == null ? "none" : state.format)
                                + "; this version reads "
                                + FORMAT);
            }
            if (state.step < 0 || state.epoch < 0 || state.batch < 0) {
                throw new IOException(file + ": step, epoch and batch must be >= 0");
            }
            return state;
        } catch (JsonParseException e) {
            throw new IOException(file + " is malformed: " + e.getMessage(), e);
        }
    }
}
