package dev.recurrent.training.run;

import dev.recurrent.zoo.checkpoint.AtomicFiles;
import java.io.IOException;
import java.io.Reader;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Collections;
import java.util.EnumMap;
import java.util.Locale;
import java.util.Map;
import java.util.Properties;

/** The settings of a run, all of them checked by themselves. */
public final class RunConfig {

    /** The file that describes a run, beside its results. */
    public static final String FILE = "run.properties";

    private final Map<RunSetting, String> values;

    private RunConfig(Map<RunSetting, String> values) {
        this.values = values;
    }

    /**
     * Makes settings.
     *
     * @param given what is not as it is at first
     * @return the settings
     * @throws InvalidRunException if a value is not of its setting's kind, or one is missing
     */
    public static RunConfig of(Map<RunSetting, String> given) {
        Map<RunSetting, String> values = new EnumMap<>(RunSetting.class);
        for (RunSetting setting : RunSetting.values()) {
            String value = given.getOrDefault(setting, setting.initial());
            if (value == null || value.isBlank() && setting.initial() == null) {
                throw new InvalidRunException(
                        setting.key() + " is missing: " + setting.description());
            }
            setting.check(value);
            values.put(setting, value);
        }
        return new RunConfig(values);
    }

    /**
     * Reads the settings that a file gives.
     *
     * @param file a properties file, such as a run's {@value #FILE}
     * @return its settings
     * @throws InvalidRunException if it has a key that is no setting
     * @throws IOException if it cannot be read
     */
    public static Map<RunSetting, String> read(Path file) throws IOException {
        Properties properties = new Properties();
        try (Reader reader = Files.newBufferedReader(file)) {
            properties.load(reader);
        } catch (IllegalArgumentException e) {
            throw new InvalidRunException(file + " is no properties file: " + e.getMessage(), e);
        }
        Map<RunSetting, String> values = new EnumMap<>(RunSetting.class);
        for (String key : properties.stringPropertyNames()) {
            RunSetting setting = RunSetting.of(key);
            if (setting == null) {
                throw new InvalidRunException(
                        file + ": " + key + " is no setting; these are: " + RunSetting.keys());
            }
            values.put(setting, properties.getProperty(key).strip());
        }
        return values;
    }

    /**
     * Writes all settings, in one order, so that equal runs have equal files.
     *
     * @param file where
     * @throws IOException if it cannot be written
     */
    public void write(Path file) throws IOException {
        StringBuilder text = new StringBuilder();
        values.forEach(
                (setting, value) ->
                        text.append(setting.key())
                                .append('=')
                                .append(value.replace("\\", "\\\\"))
                                .append('\n'));
        AtomicFiles.writeString(file, text.toString());
    }

    /** Returns all settings. */
    public Map<RunSetting, String> values() {
        return Collections.unmodifiableMap(values);
    }

    String text(RunSetting setting) {
        return values.get(setting);
    }

    boolean flag(RunSetting setting) {
        return Boolean.parseBoolean(values.get(setting));
    }

    double number(RunSetting setting) {
        return Double.parseDouble(values.get(setting));
    }

    int count(RunSetting setting) {
        return Integer.parseInt(values.get(setting));
    }

    /** One of an enum's constants. */
    <E extends Enum<E>> E choice(RunSetting setting, Class<E> type) {
        String value = values.get(setting);
        for (E constant : type.getEnumConstants()) {
            if (constant.name().equalsIgnoreCase(value)) {
                return constant;
            }
        }
        StringBuilder choices = new StringBuilder();
        for (E constant : type.getEnumConstants()) {
            choices.append(choices.isEmpty() ? "" : ", ")
                    .append(constant.name().toLowerCase(Locale.ROOT));
        }
        throw new InvalidRunException(
                setting.key() + " must be one of " + choices + ", not \"" + value + "\"");
    }
}
