package dev.recurrent.training.run;

import dev.recurrent.blocks.LanguageModel;
import dev.recurrent.blocks.LanguageModelConfig;
import java.util.Locale;

/**
 * What a run will take, as far as it is known before it starts. All sizes in bytes.
 *
 * @param parameters of the model
 * @param trained those that are trained
 * @param tokensPerStep that an update sees
 * @param weights of the model in fp32
 * @param optimizer gradients and moments of what is trained
 * @param logits of a batch and their gradient
 * @param residual what recomputation keeps of the layers: one [B, T, D] tensor each; without it
 *     layers keep some dozens of that size
 */
public record RunPlan(
        long parameters,
        long trained,
        long tokensPerStep,
        long weights,
        long optimizer,
        long logits,
        long residual) {

    private static final double GIBI = 1L << 30;

    static RunPlan of(LanguageModelConfig model, long trained, RunConfig config) {
        long parameters = new LanguageModel(model).parameterCount();
        long batch = (long) config.count(RunSetting.BATCH) * config.count(RunSetting.LENGTH);
        return new RunPlan(
                parameters,
                trained,
                batch * config.count(RunSetting.ACCUMULATION),
                Float.BYTES * parameters,
                3L * Float.BYTES * trained,
                2 * Float.BYTES * batch * model.vocabulary(),
                Float.BYTES * batch * model.width() * model.layers().size());
    }

    @Override
    public String toString() {
        return String.format(
                Locale.ROOT,
                "parameters           %,d (%,d trained)%n"
                        + "tokens a step        %,d%n"
                        + "weights              %.2f GiB%n"
                        + "gradients, moments   %.2f GiB%n"
                        + "logits               %.2f GiB%n"
                        + "layers' inputs       %.2f GiB, all that recompute keeps of them",
                parameters,
                trained,
                tokensPerStep,
                weights / GIBI,
                optimizer / GIBI,
                logits / GIBI,
                residual / GIBI);
    }
}
