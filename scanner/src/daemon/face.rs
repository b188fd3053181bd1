//! What the screens are begun with: words, recordings, what every page is told first, and whose browsers they are.

use host::config::{self, Config};
use nix::unistd::{Uid, User};
use page::{strings::Strings, view::Hello, visitor::House, voice::Voice};

/// Whose browsers are this gate's screens: of the users that are named, of root, and of whoever runs this.
pub fn house(viewers: &[String]) -> House {
    let named = viewers.iter().filter_map(|name| {
        let user = User::from_name(name).ok().flatten();
        if user.is_none() {
            log::warn!("page.viewers: there is no user {name} on this machine");
        }
        user.map(|user| user.uid.as_raw())
    });
    House::of(named.chain([Uid::effective().as_raw()]))
}

/// The words of the screens. What is wrong with a translation is told each time.
pub fn words(config: &Config) -> Strings {
    let (strings, troubles) = Strings::with_folders(&config.page.word_folders());
    for trouble in troubles {
        log::warn!("page.strings: {trouble}");
    }
    strings
}

/// What the screens speak with. What cannot be played is told each time.
pub fn voice(config: &Config) -> Voice {
    let Some(folder) = &config.page.voice else { return Voice::default() };
    let (voice, troubles) = Voice::of_folder(folder);
    for trouble in troubles {
        log::warn!("page.voice: {trouble}");
    }
    voice
}

/// What every page is told first. A language without words is left out; without any, Chinese and English remain.
pub fn hello(config: &Config, strings: &Strings, voice: &Voice) -> Hello {
    let (mut languages, dumb): (Vec<_>, Vec<_>) =
        config.page.languages.iter().cloned().partition(|language| strings.speaks(language));
    for language in dumb {
        let folder = config.page.strings.display();
        log::warn!("page.languages: there are no words for {language}; put {language}.json into {folder}");
    }
    if languages.is_empty() {
        languages = config::Page::default().languages;
    }
    let signals = &config.signals;
    let desk = languages.iter().cloned().zip(config.page.desk.iter().cloned()).collect();
    Hello {
        voice: voice.names(),
        desk,
        desk_side: config.page.desk_side.map(config::Side::code),
        place: config.checkpoint.id.clone(),
        languages,
        sound: signals.sound,
        read_cue: signals.read_cue,
        discreet: signals.discreet,
        build: host::BUILD,
    }
}
