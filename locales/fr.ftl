### Ce que la fenêtre dit aux visiteurs, en français.

language-name = Français
languages = Langue
demo = DÉMO
steps = Étapes
step-scan = Scanner
step-shape = Façonner
step-meet = Rencontrer

waking-title = Un instant.
waking-line = La scène se prépare.
lost-retry = Réessayer

attract-title = Découvrez votre double.
attract-line = Scannez un code, filmez votre visage avec votre téléphone et rencontrez votre avatar ici.
attract-start = Commencer
attract-any =
    { $device ->
        [gamepad] ou appuyez sur n’importe quel bouton
        [keyboard] ou appuyez sur n’importe quelle touche
        [touch] ou touchez l’écran
       *[pointer] ou cliquez n’importe où
    }

closed-until = Réouverture : { $when }
closed-staff =
    { $device ->
        [gamepad] Pour l’équipe : maintenez Start et Select pour ouvrir les réglages.
        [keyboard] Pour l’équipe : F10 ouvre les réglages.
        [touch] Pour l’équipe : touchez cinq fois le coin supérieur gauche pour ouvrir les réglages.
       *[pointer] Pour l’équipe : F10, ou cinq appuis dans le coin supérieur gauche, ouvre les réglages.
    }

consent-title = Avant de commencer.
consent-agree = J’accepte
consent-more = Lire la suite
consent-not-now = Pas maintenant
consent-onward = puis choisissez
consent-other-language = Ce texte n’existe pas en français. Le voici en { $language }.

preparing-title = Un instant.
preparing-line = Nous demandons un code rien que pour vous.
invite-title = Scannez avec votre téléphone.
invite-demo-title = Voyez comment ça marche.
invite-demo-line = Pas besoin de votre téléphone pour cette démo.
invite-demo-step-1 = Le téléphone scanne le code.
invite-demo-step-2 = Il filme un visage.
invite-demo-step-3 = L’avatar apparaît ici.
invite-step-1 = Visez le code avec l’appareil photo du téléphone.
invite-step-2 = Filmez votre visage ou choisissez un avatar que vous avez déjà.
invite-step-3 = Revenez à cet écran et rencontrez votre avatar.
invite-qr = Le code à scanner avec votre téléphone
invite-no-camera = Pas d’appareil photo ? Ouvrez ceci sur votre téléphone :
invite-time-left = Ce code est encore valable { $clock }
invite-new-code = Nouveau code
invite-play-phone = Lancer la démo
invite-open-phone = Sans téléphone

making-found-title = Vous voilà !
making-found-line = Votre téléphone est connecté. Regardez ici.
making-found-line-demo = Le téléphone est connecté. Regardez ici.
making-queue-title = Vous êtes dans la file.
making-queue-line = Votre vidéo est arrivée. Restez dans les parages.
making-queue-next = C’est bientôt à vous !
making-queue-place = Numéro { $place } dans la file
making-processing-title = Votre avatar prend forme.
making-processing-line = Trait après trait, il vous ressemble.
making-failed-title = Cette vidéo ne convient pas.
making-failed-line = Ça arrive. Scannez le code et réessayez, face à la lumière et sans bouger.
making-failed-line-demo = Ça arrive. Relancez la démo.
making-unknown-title = Votre avatar est en route.
making-unknown-line = Restez dans les parages. Votre avatar apparaîtra ici.
making-left = Encore { $time } environ
making-left-soon = Encore quelques secondes
making-turn = À vous dans { $time } environ
making-turn-soon = À vous dans un instant
making-stalled = C’est plus long que d’habitude. On s’en occupe.
making-queue-stalled = La file n’avance pas pour le moment. Vous gardez votre place.

lanes-next = Prendre un ticket
lanes-next-line = Inutile d’attendre ici. Prenez un ticket et revenez quand votre avatar sera prêt.
lanes-next-automatic = Vous aurez un ticket dans un instant. Revenez quand votre avatar sera prêt.
lanes-full = Tous les tickets sont pris pour l’instant. Votre avatar reste sur cet écran.
ticket-name =
    { $symbol ->
            [comet] Comète
            [moon] Lune
            [anchor] Ancre
            [bell] Cloche
            [kite] Cerf-volant
            [key] Clé
            [leaf] Feuille
            [crown] Couronne
            [rocket] Fusée
            [cloud] Nuage
            [feather] Plume
           *[mountain] Montagne
        } { $colour ->
            [blue] { $symbol ->
                [kite] bleu
                [cloud] bleu
               *[other] bleue
            }
            [red] rouge
            [green] { $symbol ->
                [kite] vert
                [cloud] vert
               *[other] verte
            }
            [yellow] jaune
            [orange] orange
            [purple] { $symbol ->
                [kite] violet
                [cloud] violet
               *[other] violette
            }
            [pink] rose
           *[white] { $symbol ->
                [kite] blanc
                [cloud] blanc
               *[other] blanche
            }
        }
ticket-title = Votre ticket.
ticket-line = Prenez-le en photo. Quand votre avatar sera prêt, choisissez votre ticket ici et saisissez le code.
ticket-on-phone = Il est aussi sur votre téléphone.
ticket-code = Votre code
ticket-done = C’est noté
tickets = Tickets
tickets-ready = Prêts à récupérer
tickets-making = En préparation
ticket-being-made = { $name } : en cours
ticket-being-recorded = { $name } : tournage en cours
ticket-announced = { $name } : c’est prêt !
pickup-title = Saisissez votre code.
pickup-line = { $name } : les quatre chiffres sont sur votre ticket.
pickup-making-title = Pas encore tout à fait.
pickup-making-line = { $name } : c’est encore en cours. Revenez dans quelques minutes.
pickup-closed-title = Ce ticket n’est plus valable.
pickup-closed-line = Adressez-vous à l’équipe.
pickup-wrong =
    Ce n’est pas le code de ce ticket. { $tries ->
            [one] Il reste un essai.
           *[other] Il reste { $tries } essais.
        }
pickup-blocked = Trop de codes erronés. Patientez { $clock }.
pickup-checking = Un instant…
pickup-forgotten = Code oublié ? L’équipe peut ouvrir votre ticket.
pickup-keys = Chiffres
pickup-delete = Effacer le dernier chiffre
pickup-entered =
    { $count ->
        [one] Un chiffre saisi
       *[other] { $count } chiffres saisis
    }

saving-title = On y est presque.
saving-line = Votre avatar est prêt et arrive sur cet écran.
saving-stalled = La connexion est lente en ce moment. Ça continue tout seul.

gate-title = Votre avatar est prêt.
gate-line = C’est le vôtre ? Regardez-le. D’ici là, rien ne s’affiche.
gate-show = Montrez-le-moi
gate-not-mine = Pas le mien

reveal-title = C’est vous.
reveal-title-portrait = Votre portrait.
reveal-title-card = Votre avatar est enregistré.
reveal-turn =
    { $device ->
        [touch] Glissez pour tourner.
       *[pointer] Faites glisser pour tourner.
    }
reveal-lighting = La lumière s’allume…
reveal-canvas = Votre avatar, qui tourne dans la lumière
reveal-portrait = Le portrait de votre avatar
reveal-me = Utiliser cet avatar
reveal-again = Recommencer
reveal-delete = Supprimer mon avatar
reveal-faces = Faites une grimace
reveal-welcome-title = Enchanté.
reveal-welcome-line = Votre avatar est enregistré. C’est ici qu’un jeu commence, et vous en êtes.
reveal-welcome-line-unsaved = C’est ici qu’un jeu commence, et vous en êtes.
reveal-finish = Terminer
face-smile = Sourire
face-wink = Clin d’œil
face-surprise = Surprise
face-kiss = Bisou
face-frown = Air fâché

keep-for-ever = Votre avatar reste enregistré sur cette console.
keep-while-here = Votre avatar sera effacé de cette console à votre départ.
keep-until-finished = Votre avatar sera effacé dès que vous terminez ou recommencez.
keep-hours =
    { $count ->
        [one] Votre avatar sera effacé de cette console au bout d’une heure.
       *[other] Votre avatar sera effacé de cette console au bout de { $count } heures.
    }
keep-days =
    { $count ->
        [one] Votre avatar sera effacé de cette console au bout d’un jour.
       *[other] Votre avatar sera effacé de cette console au bout de { $count } jours.
    }
forget-me = Supprimer mes données
forget-title = Tout supprimer ?
forget-ask = Les fichiers et l’historique de cette visite seront supprimés de cette console. C’est irréversible.
forget-keep = Garder
forget-yes = Oui, supprimer
forgetting-title = Suppression…
forgetting-line = Les fichiers et l’historique de cette visite sont en cours de suppression.
forgotten-title = Supprimé.
forgotten-line = Rien de vous n’est conservé ici.
forget-failed-title = Tout n’a pas pu être supprimé.
forget-failed-line = Prévenez l’équipe, s’il vous plaît : elle peut supprimer le reste.

ended-again = Recommencer au début

leave-back = Retour
leave-title = Partir maintenant ?
leave-ask = Votre avatar ne sera plus montré ici.
leave-ask-making = Votre avatar sera quand même terminé, mais ne sera plus montré ici.
leave-ask-failed = Ce code ne sera plus valable.
leave-stay = Rester
leave-leave = Partir
leave-delete = Partir et supprimer
idle-title = Toujours là ?
idle-line =
    { $seconds ->
        [one] Cet écran s’efface dans { $seconds } seconde, pour la personne suivante.
        [many] Cet écran s’efface dans { $seconds } de secondes, pour la personne suivante.
       *[other] Cet écran s’efface dans { $seconds } secondes, pour la personne suivante.
    }
idle-line-unsaved =
    { $seconds ->
        [one] Cet écran s’efface dans { $seconds } seconde, et votre avatar avec lui.
        [many] Cet écran s’efface dans { $seconds } de secondes, et votre avatar avec lui.
       *[other] Cet écran s’efface dans { $seconds } secondes, et votre avatar avec lui.
    }
idle-stay = Je suis là
idle-leave = Libérer l’écran
idle-spoken = Vous êtes toujours là ? Cet écran va être effacé pour la personne suivante.
idle-spoken-unsaved = Vous êtes toujours là ? Cet écran va être effacé, et votre avatar avec lui.

hint-choose = Choisir
hint-back = Retour
hint-language = Langue
hint-turn = Tourner

problem-saved = Votre avatar est là.
    .do = Regardez-le.
problem-saved-in-part = Une partie de votre avatar n’est pas arrivée.
    .do = Recommencez avec un nouveau code pour l’avoir en entier.
problem-credentials-refused = Cette console n’est pas encore prête.
    .do = Prévenez l’équipe, s’il vous plaît.
problem-credentials-missing = Cette console n’est pas encore prête.
    .do = Prévenez l’équipe, s’il vous plaît.
problem-token-refused = Ce code n’a pas marché.
    .do = Essayons-en un autre.
problem-token-expired = Ce code a expiré.
    .do = Un nouveau code arrive tout de suite.
problem-avatar-failed = Votre avatar n’a pas pu être créé cette fois.
    .do = Une lumière douce sur le visage aide. Réessayez.
problem-backend-unreachable = Le studio d’avatars ne répond pas en ce moment.
    .do = Patientez un instant. Si cela dure, prévenez l’équipe, s’il vous plaît.
problem-answer-lost = La connexion s’est coupée.
    .do = Nous réessayons.
problem-download-interrupted = Le téléchargement fait une pause.
    .do = Votre avatar est conservé. Il arrivera dès que la connexion sera rétablie.
problem-backend-busy = Le studio d’avatars a beaucoup à faire.
    .do = Juste un instant.
problem-backend-failing = Le studio d’avatars a un souci en ce moment.
    .do = Patientez un instant. Si cela dure, prévenez l’équipe, s’il vous plaît.
problem-gate = Ce réseau ne nous laisse pas accéder au studio d’avatars.
    .do = Prévenez l’équipe, s’il vous plaît.
problem-no-api = Cette console n’est pas encore prête.
    .do = Prévenez l’équipe, s’il vous plaît.
problem-protocol-broken = Le studio d’avatars a répondu quelque chose que nous ne comprenons pas.
    .do = Prévenez l’équipe, s’il vous plaît.
problem-possibly-consumed = La connexion s’est coupée au mauvais moment.
    .do = Recommencez avec un nouveau code, s’il vous plaît.
problem-timed-out = Le temps s’est écoulé avant l’arrivée de votre avatar.
    .do = Un nouveau code permet de recommencer.
problem-storage-failed = Cette console ne peut rien enregistrer en ce moment.
    .do = Prévenez l’équipe, s’il vous plaît.
problem-disk-full = Cette console n’a plus de place.
    .do = Prévenez l’équipe, s’il vous plaît.
problem-token-abandoned = Ce code est trop ancien.
    .do = Un nouveau code arrive tout de suite.
problem-forget-incomplete = Tout n’a pas pu être effacé.
    .do = Prévenez l’équipe, s’il vous plaît.
problem-interrupted = À bientôt !
    .do = Recommencez quand vous voulez.
problem-outside-hours = C’est fermé pour l’instant.
    .do = À plus tard !
problem-configuration = Cette console n’est pas encore prête.
    .do = Prévenez l’équipe, s’il vous plaît.
problem-window-lost = Quelque chose est bloqué.
    .do = Réessayez ou prévenez l’équipe.
problem-window-refused = Cela n’a pas marché.
    .do = Réessayez, s’il vous plaît.
