package dev.recurrent.tests.training.run;

import ai.djl.Device;
import dev.recurrent.training.run.RunConfig;
import dev.recurrent.training.run.RunResult;
import dev.recurrent.training.run.RunSetting;
import dev.recurrent.training.run.TrainingRun;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.EnumMap;
import java.util.Map;
import java.util.Random;
import java.util.function.Consumer;

/** Short runs of a small model on a text of a few letters. */
final class RunCase {

    static final int STEPS = 12;

    private RunCase() {}

    static Path text(Path folder) throws IOException {
        Random random = new Random(1);
        StringBuilder text = new StringBuilder();
        for (int i = 0; i < 2000; i++) {
            text.append("abcd \n".charAt(random.nextInt(6)));
        }
        return Files.writeString(folder.resolve("text.txt"), text);
    }

    /** Settings of a run of twelve updates, with some of them changed: KEY, VALUE and so on. */
    static RunConfig config(Path text, Object... changes) {
        Map<RunSetting, String> values = new EnumMap<>(RunSetting.class);
        values.put(RunSetting.MODEL, "gated-deltanet");
        values.put(RunSetting.DATA, text.toString());
        values.put(RunSetting.STEPS, Integer.toString(STEPS));
        values.put(RunSetting.BATCH, "2");
        values.put(RunSetting.LENGTH, "16");
        values.put(RunSetting.DROPOUT, "0.1");
        values.put(RunSetting.EVALUATE_EVERY, "4");
        values.put(RunSetting.EVALUATE_BATCHES, "2");
        values.put(RunSetting.SAVE_EVERY, "5");
        for (int i = 0; i < changes.length; i += 2) {
            values.put((RunSetting) changes[i], changes[i + 1].toString());
        }
        return RunConfig.of(values);
    }

    static RunResult train(RunConfig config, Path folder, boolean resume, Consumer<String> lines)
            throws Exception {
        return new TrainingRun(config, folder, Device.cpu(), lines).train(resume);
    }
}
