package dev.recurrent.evaluation.report;

import com.google.gson.Gson;
import com.google.gson.GsonBuilder;
import com.google.gson.JsonElement;
import com.google.gson.JsonNull;
import com.google.gson.JsonPrimitive;
import com.google.gson.JsonSerializer;
import com.google.gson.ToNumberPolicy;

/** JSON as results are written: NaN, which it lacks, is null, and infinities are strings. */
public final class Json {

    private static final JsonSerializer<Number> NUMBERS =
            (number, type, context) -> {
                double value = number.doubleValue();
                if (Double.isFinite(value)) {
                    return new JsonPrimitive(number);
                }
                return Double.isNaN(value)
                        ? JsonNull.INSTANCE
                        : new JsonPrimitive(Double.toString(value));
            };

    private static final Gson PAGE = builder().setPrettyPrinting().create();
    private static final Gson LINE = builder().create();

    private Json() {}

    private static GsonBuilder builder() {
        return new GsonBuilder()
                .registerTypeAdapter(Double.class, NUMBERS)
                .registerTypeAdapter(Float.class, NUMBERS)
                .setObjectToNumberStrategy(ToNumberPolicy.LONG_OR_DOUBLE)
                .disableHtmlEscaping()
                .serializeNulls();
    }

    /** Returns a value on lines of its own, indented, with a line break at its end. */
    public static String page(Object value) {
        return PAGE.toJson(value) + "\n";
    }

    /** Returns a value on one line, with a line break at its end. */
    static String line(Object value) {
        return LINE.toJson(value) + "\n";
    }

    /** Returns JSON as maps, lists, strings, booleans, longs and doubles. */
    static Object plain(JsonElement element) {
        return LINE.fromJson(element, Object.class);
    }
}
