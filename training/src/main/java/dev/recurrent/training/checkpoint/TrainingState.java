package dev.recurrent.training.checkpoint;

import com.google.gson.Gson;
import com.google.gson.GsonBuilder;
import com.google.gson.JsonObject;
import com.google.gson.JsonParseException;
import com.google.gson.JsonParser;
import com.google.gson.JsonPrimitive;
import dev.recurrent.zoo.checkpoint.AtomicFiles;
import dev.recurrent.zoo.checkpoint.CheckpointException;
import java.io.IOException;
import java.math.BigDecimal;
import java.nio.charset.CharacterCodingException;
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
     * @throws CheckpointException if it is none that this version knows; the message names the file
     *     and the key
     * @throws IOException if it cannot be read
     */
    public static TrainingState read(Path folder) throws IOException, CheckpointException {
        Path file = folder.resolve(FILE);
        JsonObject json = parse(file);
        long format = natural(file, json, "format", Integer.MAX_VALUE);
        if (format != FORMAT) {
            throw new CheckpointException(
                    file, null, "it is of format " + format + "; this version reads " + FORMAT);
        }
        return new TrainingState(
                FORMAT,
                natural(file, json, "step", Long.MAX_VALUE),
                natural(file, json, "epoch", Long.MAX_VALUE),
                natural(file, json, "batch", Long.MAX_VALUE),
                scale(file, json),
                (int) natural(file, json, "goodUpdates", Integer.MAX_VALUE));
    }

    private static JsonObject parse(Path file) throws IOException, CheckpointException {
        try {
            if (JsonParser.parseString(Files.readString(file)) instanceof JsonObject object) {
                return object;
            }
        } catch (JsonParseException | CharacterCodingException e) {
            throw new CheckpointException(file, null, "it is malformed: " + e.getMessage(), e);
        }
        throw new CheckpointException(file, null, "it is malformed: not a JSON object");
    }

    private static long natural(Path file, JsonObject json, String key, long most)
            throws CheckpointException {
        try {
            long value = number(json, key).longValueExact();
            if (value >= 0 && value <= most) {
                return value;
            }
        } catch (ArithmeticException | IllegalArgumentException e) {
            throw wrong(file, json, key, "a whole number from 0 to " + most, e);
        }
        throw wrong(file, json, key, "a whole number from 0 to " + most, null);
    }

    private static double scale(Path file, JsonObject json) throws CheckpointException {
        String key = "lossScale";
        try {
            double value = number(json, key).doubleValue();
            if (value >= 0 && value < Double.POSITIVE_INFINITY) {
                return value;
            }
        } catch (IllegalArgumentException e) {
            throw wrong(file, json, key, "a finite number >= 0", e);
        }
        throw wrong(file, json, key, "a finite number >= 0", null);
    }

    private static BigDecimal number(JsonObject json, String key) {
        if (json.get(key) instanceof JsonPrimitive value && value.isNumber()) {
            return value.getAsBigDecimal();
        }
        throw new IllegalArgumentException(key + " is no number");
    }

    private static CheckpointException wrong(
            Path file, JsonObject json, String key, String right, Exception cause) {
        String found = json.has(key) ? json.get(key).toString() : "missing";
        return new CheckpointException(
                file, null, key + " is " + found + "; it must be " + right, cause);
    }
}
