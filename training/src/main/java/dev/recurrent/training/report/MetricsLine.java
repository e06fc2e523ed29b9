package dev.recurrent.training.report;

import com.google.gson.Gson;
import com.google.gson.GsonBuilder;
import com.google.gson.JsonElement;
import com.google.gson.JsonNull;
import com.google.gson.JsonObject;
import com.google.gson.JsonParseException;
import com.google.gson.Strictness;

/** A line of a metrics file: a JSON object with a step. */
final class MetricsLine {

    /** How every line begins, so that a part of one can be told from another file's text. */
    static final String BEGINNING = "{\"step\":";

    private static final Gson JSON =
            new GsonBuilder().setStrictness(Strictness.STRICT).serializeNulls().create();

    private static final String STEP = "step";
    private static final String LOSS = "loss";
    private static final String LEARNING_RATE = "learning_rate";
    private static final String GRADIENT_NORM = "gradient_norm";
    private static final String TOKENS = "tokens";
    private static final String TOKENS_PER_SECOND = "tokens_per_second";
    private static final String SECONDS = "seconds";
    private static final String VALIDATION_LOSS = "validation_loss";
    private static final String VALIDATION_ACCURACY = "validation_accuracy";

    private final JsonObject object;

    private MetricsLine(JsonObject object) {
        this.object = object;
    }

    /**
     * Parses a line.
     *
     * @throws JsonParseException if it is not such an object
     */
    static MetricsLine parse(String text) {
        JsonObject object = JSON.fromJson(text, JsonObject.class);
        if (object == null) {
            throw new JsonParseException("empty");
        }
        MetricsLine line = new MetricsLine(object);
        if (!(line.number(STEP) >= 0)) {
            throw new JsonParseException("no step");
        }
        return line;
    }

    static MetricsLine of(RunMetrics.Training training) {
        JsonObject object = new JsonObject();
        object.addProperty(STEP, training.step());
        object.add(LOSS, json(training.loss()));
        object.add(LEARNING_RATE, json(training.learningRate()));
        object.add(GRADIENT_NORM, json(training.gradientNorm()));
        object.addProperty(TOKENS, training.tokens());
        object.add(TOKENS_PER_SECOND, json(training.tokensPerSecond()));
        object.add(SECONDS, json(training.seconds()));
        return new MetricsLine(object);
    }

    static MetricsLine of(RunMetrics.Validation validation) {
        JsonObject object = new JsonObject();
        object.addProperty(STEP, validation.step());
        object.add(VALIDATION_LOSS, json(validation.loss()));
        object.add(VALIDATION_ACCURACY, json(validation.accuracy()));
        return new MetricsLine(object);
    }

    long step() {
        return whole(STEP);
    }

    boolean isValidation() {
        return object.has(VALIDATION_LOSS);
    }

    RunMetrics.Training training() {
        return new RunMetrics.Training(
                step(),
                number(LOSS),
                number(LEARNING_RATE),
                number(GRADIENT_NORM),
                whole(TOKENS),
                number(TOKENS_PER_SECOND),
                number(SECONDS));
    }

    RunMetrics.Validation validation() {
        return new RunMetrics.Validation(
                step(), number(VALIDATION_LOSS), number(VALIDATION_ACCURACY));
    }

    @Override
    public String toString() {
        return JSON.toJson(object);
    }

    /** JSON knows no NaN and no infinity. */
    private static JsonElement json(double value) {
        return Double.isFinite(value) ? JSON.toJsonTree(value) : JsonNull.INSTANCE;
    }

    private double number(String key) {
        JsonElement value = object.get(key);
        return isNumber(value) ? value.getAsDouble() : Double.NaN;
    }

    private long whole(String key) {
        JsonElement value = object.get(key);
        return isNumber(value) ? value.getAsLong() : 0;
    }

    private static boolean isNumber(JsonElement value) {
        return value != null && value.isJsonPrimitive() && value.getAsJsonPrimitive().isNumber();
    }
}
