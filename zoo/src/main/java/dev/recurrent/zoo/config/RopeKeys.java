package dev.recurrent.zoo.config;

import com.google.gson.JsonObject;

/**
 * The rotation of queries and keys in transformers' configurations: under {@code rope_parameters}
 * in newer ones, at top level in older ones.
 */
final class RopeKeys {

    private static final String PARAMETERS = "rope_parameters";
    private static final String THETA = "rope_theta";
    private static final String FACTOR = "partial_rotary_factor";

    private final ConfigKeys top;
    private final ConfigKeys nested;

    RopeKeys(ConfigKeys keys) throws ConfigException {
        top = keys;
        nested = keys.object(PARAMETERS);
        keys.mustBeNull("rope_scaling");
        for (String key : new String[] {"rope_type", "type"}) {
            if (!nested.text(key, "default").equals("default")) {
                throw nested.wrong(key, "default");
            }
        }
    }

    /** Whether any of the keys gives wavelengths. */
    boolean hasTheta() {
        return nested.has(THETA) || top.has(THETA);
    }

    /** The base of the wavelengths. */
    double theta() throws ConfigException {
        return nested.has(THETA) ? nested.positive(THETA, 0) : top.positive(THETA, 10_000);
    }

    /** How many leading dimensions of a head are rotated. */
    long rotaryDim(long headDim, double defaultFactor) throws ConfigException {
        ConfigKeys keys = nested.has(FACTOR) ? nested : top;
        double factor = keys.positive(FACTOR, defaultFactor);
        long rotated = (long) (factor * headDim);
        if (factor > 1 || rotated % 2 != 0) {
            throw keys.wrong(FACTOR, "a part <= 1 of head_dim " + headDim + " that is even");
        }
        return rotated;
    }

    /** Writes what newer and older versions read. */
    static void write(JsonObject json, double theta, double factor) {
        JsonObject parameters = new JsonObject();
        parameters.addProperty("rope_type", "default");
        parameters.addProperty(THETA, theta);
        parameters.addProperty(FACTOR, factor);
        json.add(PARAMETERS, parameters);
        json.addProperty(FACTOR, factor);
    }
}
