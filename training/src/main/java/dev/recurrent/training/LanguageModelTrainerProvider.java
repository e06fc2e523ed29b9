package dev.recurrent.training;

import ai.djl.Model;
import ai.djl.training.Trainer;
import ai.djl.training.TrainingConfig;
import dev.recurrent.zoo.TrainerProvider;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Makes {@code newTrainer} of zoo models return a {@link LanguageModelTrainer}. */
public final class LanguageModelTrainerProvider implements TrainerProvider {

    private static final Logger LOGGER =
            LoggerFactory.getLogger(LanguageModelTrainerProvider.class);

    /**
     * {@inheritDoc}
     *
     * @return a {@link LanguageModelTrainer}; DJL's own for several devices, whose gradients it
     *     adds up
     */
    @Override
    public Trainer newTrainer(Model model, TrainingConfig config) {
        if (config.getDevices().length > 1) {
            LOGGER.warn(
                    "{} devices were given: DJL's own trainer is used, without clipping, schedules"
                            + " and recomputation",
                    config.getDevices().length);
            return new Trainer(model, config);
        }
        return new LanguageModelTrainer(model, config);
    }
}
